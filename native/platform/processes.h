// Worker processes and the memory shared with them, as far as operating systems differ.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace rxp::platform {

// Null where worker processes work on this platform, else why they do not.
const char* why_no_processes();

// A file in memory without a name, of this user alone; its size is sealed, so a mapping of it can
// never fault because somebody made it shorter. Closed on exec. -1 with errno set on failure.
int create_memory_file(size_t size);
// The same for a text that grows as it is written.
int create_text_file();
// Whether this is a memory file of at least `size` bytes that nobody can make shorter.
bool is_sealed(int descriptor, size_t size);

struct ProcessStart {
  std::string program;
  std::vector<std::string> arguments;    // the first one is the program's name
  std::vector<std::string> environment;  // NAME=value
  std::vector<int> descriptors;          // the process has them as 3, 4, …, and no others
};

// Starts a process in a group of its own, with no standard input and our standard output and error.
// Its id, or -1 with `error` filled.
pid_t start_process(const ProcessStart& start, std::string& error);
// Sends a signal to the main thread of a process that has not been waited for.
void signal_process(pid_t process, int signal);
// Ends a process that has not been waited for, and what it started in its group.
void kill_process(pid_t process);

// The resident memory in bytes of a process that has not been waited for; 0 when it has ended.
size_t resident_memory(pid_t process);

// Waits until there is something to read, at most so many milliseconds.
void wait_readable(int descriptor, int milliseconds);

// In a worker process: it is killed when its parent goes, however that happens. False when the
// parent has gone already.
bool die_with_parent(pid_t parent);

}  // namespace rxp::platform
