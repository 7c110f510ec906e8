#include "process/child.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "platform/processes.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace rxp {
namespace {

constexpr size_t kFaultLimit = 64 << 10;

// Standard modules only, and without the current folder on sys.path, as in Node's own process.
constexpr char kProgram[] =
    "import sys\n"
    "if sys.path and sys.path[0] == '': del sys.path[0]\n"
    "sys.path.append(sys.argv[1])\n"
    "from rxjs_python._worker import main\n"
    "main(sys.argv[2])\n";

// The addon that this code is in.
std::string own_path() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&own_path), &info) == 0 || info.dli_fname == nullptr)
    return "";
  char resolved[PATH_MAX];
  return realpath(info.dli_fname, resolved) == nullptr ? info.dli_fname : resolved;
}

std::string text_of(int file) {
  std::string text(kFaultLimit, '\0');
  ssize_t size = pread(file, &text[0], text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

}  // namespace

bool Child::start(const WorkerProgram& program, int memory, int socket, std::string& error) {
  faults_ = platform::create_text_file();
  if (faults_ < 0) {
    error = "no memory file for a worker process";
    return false;
  }
  platform::ProcessStart start;
  start.program = program.executable;
  start.arguments = {program.executable, "-c", kProgram, program.python_dir, own_path()};
  start.environment = program.environment;
  start.descriptors = {socket, memory, faults_};
  std::lock_guard<std::mutex> lock(mutex_);
  process_ = platform::start_process(start, error);
  if (process_ < 0) return false;
  descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, process_, 0));
  return true;
}

Child::~Child() {
  if (descriptor_ >= 0) close(descriptor_);
  if (faults_ >= 0) close(faults_);
}

void Child::signal(int signal) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (process_ > 0) platform::signal_process(process_, signal);
}

void Child::kill() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (process_ > 0) platform::kill_process(process_);
}

size_t Child::memory() {
  std::lock_guard<std::mutex> lock(mutex_);
  return process_ > 0 ? platform::resident_memory(process_) : 0;
}

bool Child::ended() {
  std::lock_guard<std::mutex> lock(mutex_);
  siginfo_t info{};
  if (process_ <= 0) return true;
  if (waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return true;
  return info.si_pid == process_;
}

Ending Child::bury(int milliseconds) {
  Ending ending;
  for (int waited = 0; !ended(); waited++) {
    if (waited == milliseconds) kill();
    usleep(1000);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (process_ <= 0) return ending;
  // What it started in its group goes with it, before its number is free for another process.
  platform::kill_process(process_);
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  ending.faults = text_of(faults_);
  return ending;
}

}  // namespace rxp
