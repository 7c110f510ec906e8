#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "platform/processes.h"

namespace rxp::platform {
namespace {

constexpr int kFirstDescriptor = 3;

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Descriptors that another addon, or Node's own parent, left open for children.
void close_others(posix_spawn_file_actions_t* actions, int from) {
  using CloseFrom = int (*)(posix_spawn_file_actions_t*, int);
  static const auto close_from =
      reinterpret_cast<CloseFrom>(dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addclosefrom_np"));
  if (close_from != nullptr) {
    close_from(actions, from);
    return;
  }
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (dirent* entry = readdir(folder)) {
    int descriptor = std::atoi(entry->d_name);
    if (descriptor < from || descriptor == dirfd(folder)) continue;
    int flags = fcntl(descriptor, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
      posix_spawn_file_actions_addclose(actions, descriptor);
    }
  }
  closedir(folder);
}

}  // namespace

const char* why_no_processes() { return nullptr; }

int create_memory_file(size_t size) {
  int descriptor = memfd_create("rxjs-python", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  if (fchmod(descriptor, 0600) == 0 && ftruncate(descriptor, static_cast<off_t>(size)) == 0 &&
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return descriptor;
  }
  int reason = errno;
  close(descriptor);
  errno = reason;
  return -1;
}

int create_text_file() {
  int descriptor = memfd_create("rxjs-python-faults", MFD_CLOEXEC);
  if (descriptor >= 0) fchmod(descriptor, 0600);
  return descriptor;
}

bool is_sealed(int descriptor, size_t size) {
  struct stat status{};
  int seals = fcntl(descriptor, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(descriptor, &status) == 0 &&
         status.st_size >= 0 && static_cast<size_t>(status.st_size) >= size;
}

pid_t start_process(const ProcessStart& start, std::string& error) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  int end = kFirstDescriptor + static_cast<int>(start.descriptors.size());
  // Copies above the places that they are to take, so that none of them lies in another's.
  std::vector<int> copies;
  std::vector<int> outputs;
  for (int descriptor : start.descriptors) {
    copies.push_back(fcntl(descriptor, F_DUPFD_CLOEXEC, end));
  }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  // Node has marked its own standard descriptors as not to be inherited.
  for (int standard : {1, 2}) {
    int copy = fcntl(standard, F_DUPFD_CLOEXEC, end);
    if (copy >= 0) {
      posix_spawn_file_actions_adddup2(&actions, copy, standard);
      outputs.push_back(copy);
    } else {
      posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_WRONLY, 0);
    }
  }
  for (size_t i = 0; i < copies.size(); i++) {
    posix_spawn_file_actions_adddup2(&actions, copies[i], kFirstDescriptor + static_cast<int>(i));
  }
  close_others(&actions, end);
  // Node ignores some signals and its threads may block others; Python is to start as in a shell.
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t process = -1;
  std::vector<char*> arguments = pointers_to(start.arguments);
  std::vector<char*> environment = pointers_to(start.environment);
  int failed = posix_spawn(&process, start.program.c_str(), &actions, &attributes, arguments.data(),
                           environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (int copy : copies) close(copy);
  for (int copy : outputs) close(copy);
  if (failed == 0) return process;
  error = start.program + " cannot be started: " + std::strerror(failed);
  return -1;
}

void signal_process(pid_t process, int signal) { syscall(SYS_tgkill, process, process, signal); }

void kill_process(pid_t process) {
  kill(-process, SIGKILL);
  kill(process, SIGKILL);
}

size_t resident_memory(pid_t process) {
  char text[128] = {};
  std::string path = "/proc/" + std::to_string(process) + "/statm";
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return 0;
  char* second = nullptr;  // pages in all, then those that are resident
  std::strtoull(text, &second, 10);
  return std::strtoull(second, nullptr, 10) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void wait_readable(int descriptor, int milliseconds) {
  pollfd place = {descriptor, POLLIN, 0};
  poll(&place, 1, milliseconds);
}

bool die_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return getppid() == parent;
}

}  // namespace rxp::platform
