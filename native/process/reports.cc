#include "process/reports.h"

#include <signal.h>

#include <cstdio>

namespace rxp {
namespace {

struct SignalName {
  int number;
  const char* name;
  const char* meaning;
};
constexpr SignalName kSignals[] = {
    {SIGSEGV, "SIGSEGV", "it touched memory that is not there, or ran out of stack"},
    {SIGBUS, "SIGBUS", "it touched memory that is not there"},
    {SIGABRT, "SIGABRT", "a library gave up"},
    {SIGFPE, "SIGFPE", "an arithmetic error"},
    {SIGILL, "SIGILL", "an instruction that this processor does not know"},
    {SIGKILL, "SIGKILL", "somebody killed it, or the system ran out of memory"},
    {SIGTERM, "SIGTERM", "somebody ended it"},
    {SIGINT, "SIGINT", "somebody interrupted it"},
    {SIGTRAP, "SIGTRAP", "a breakpoint"},
    {SIGPIPE, "SIGPIPE", "it wrote where nobody reads"},
    {SIGSYS, "SIGSYS", "a system call that is not allowed"},
    {SIGXCPU, "SIGXCPU", "its limit of processor time"},
};

std::string signal_name(int number) {
  for (const auto& known : kSignals) {
    if (known.number == number) return known.name;
  }
  return "signal " + std::to_string(number);
}

// As JSON; what is not ASCII is taken for Latin-1.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += static_cast<char>(c);
    } else if (c < 0x20 || c >= 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else {
      result += static_cast<char>(c);
    }
  }
  return result + "\"";
}

std::string report(const char* code, const std::string& message, const std::string& traceback,
                   const std::string& more) {
  return std::string("{\"code\":") + quoted(code) +
         ",\"type\":\"\",\"message\":" + quoted(message) + ",\"traceback\":" + quoted(traceback) +
         ",\"notes\":[],\"cause\":null,\"item\":null" + more + "}";
}

}  // namespace

std::string describe_ending(const Ending& ending) {
  if (ending.signal == 0) return "exited with code " + std::to_string(ending.exit_code);
  for (const auto& known : kSignals) {
    if (known.number == ending.signal) {
      return std::string("was ended by ") + known.name + " (" + known.meaning + ")";
    }
  }
  return "was ended by " + signal_name(ending.signal);
}

std::string crash_report(const std::string& message, const Ending& ending) {
  std::string more =
      ending.signal == 0
          ? ",\"signal\":null,\"exitCode\":" + std::to_string(ending.exit_code)
          : ",\"signal\":" + quoted(signal_name(ending.signal)) + ",\"exitCode\":null";
  return report("ERR_PYTHON_CRASH", message, ending.faults, more);
}

std::string plain_report(const char* code, const std::string& message) {
  return report(code, message, "", "");
}

}  // namespace rxp
