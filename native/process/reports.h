// What a caller is told when a worker process has ended.
#pragma once

#include <string>

#include "process/child.h"

namespace rxp {

// A sentence about how it ended, without a full stop: "was ended by SIGSEGV (…)".
std::string describe_ending(const Ending& ending);
// An error report (error_report.h) with the fields of PythonCrashError.
std::string crash_report(const std::string& message, const Ending& ending);
// Another error's report.
std::string plain_report(const char* code, const std::string& message);

}  // namespace rxp
