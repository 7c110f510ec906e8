// The process behind a worker session: started, watched, signalled and buried here.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <vector>

namespace rxp {

// How to start the worker processes of a pool.
struct WorkerProgram {
  std::string executable;                // of the Python
  std::string python_dir;                // folder of the rxjs_python package
  std::vector<std::string> environment;  // NAME=value
  int grace = 2000;  // milliseconds that a call has to end after it was interrupted
};

// How a process ended.
struct Ending {
  int signal = 0;      // or 0
  int exit_code = 0;   // where there was no signal
  std::string faults;  // what faulthandler wrote
};

class Child {
 public:
  ~Child();
  // Starts the process with these two descriptors. Must be called on the thread that outlives it:
  // the system kills the process when that thread ends.
  bool start(const WorkerProgram& program, int memory, int socket, std::string& error);

  // Any thread.
  void signal(int signal);
  void kill();
  // Resident, in bytes; 0 when the process has ended.
  size_t memory();

  // Becomes readable when the process ends; -1 on systems without such a thing.
  int descriptor() const { return descriptor_; }
  bool ended();
  // Waits for the end, at most `milliseconds`, then kills. Once only.
  Ending bury(int milliseconds);

 private:
  std::mutex mutex_;  // no signal may be sent once the process has been waited for
  pid_t process_ = -1;
  int descriptor_ = -1;
  int faults_ = -1;
};

}  // namespace rxp
