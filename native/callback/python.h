// What rxjs_python.host is made of: requests to JavaScript as functions for Python.
#pragma once

#include <array>

#include "interpreter/python_api.h"

namespace rxp {

// callback_begin(request, future) -> number; 0 when the pool has closed, -1 when calls lie too deep
//     inside each other. `request` is a list of the name and the arguments.
// callback_wait(number, seconds) -> None when there is no answer yet, (None, None) when there never
//     will be one, else (whether it is a result, the result or a description of the error)
// callback_next(seconds) -> None, or the next answer to a future: (number, whether, what)
// callback_drop(number)
const std::array<PyMethodDef*, 4>& callback_functions();

}  // namespace rxp
