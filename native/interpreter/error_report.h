// Errors cross threads as plain data: a JSON report, the same for errors from Python and from here.
#pragma once

#include <string>

#include "codec/text.h"
#include "interpreter/python_api.h"

namespace rxp {

class Runtime;

// A report without a Python exception behind it.
void write_plain_report(const char* code, const std::string& message, TextBuffer& out);

// Takes the exception that is set and writes its report, with the index of the item where it is
// known (else -1). Always writes something.
void write_exception_report(Runtime& runtime, Py_ssize_t item, TextBuffer& out);

// Sets a ResultEncodeError, or another class of rxjs_python._host, with this message.
void raise_host_error(Runtime& runtime, const char* type, const std::string& message);

}  // namespace rxp
