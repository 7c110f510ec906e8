#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <langinfo.h>
#include <link.h>
#include <locale.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "platform/namespace_shim.h"
#include "platform/platform.h"

#if defined(__GLIBC__)
// The shim is built as a library of its own (binding.gyp, CMakeLists.txt) and carried in here, so
// that the addon stays a single file.
__asm__(
    ".section .rodata\n"
    ".global rxp_namespace_shim\n"
    ".global rxp_namespace_shim_end\n"
    ".balign 16\n"
    "rxp_namespace_shim:\n"
    ".incbin \"namespace_shim.so\"\n"
    "rxp_namespace_shim_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char rxp_namespace_shim[] __attribute__((visibility("hidden")));
extern "C" const char rxp_namespace_shim_end[] __attribute__((visibility("hidden")));
#endif

namespace rxp::platform {

void* open_shared(const std::string& library, std::string& error) {
  // GLOBAL: extension modules of most distributions do not link libpython and look it up here.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr) error = dlerror();
  if (handle != nullptr) keep_fork_handlers_from_node();
  return handle;
}

void* open_self() { return dlopen(nullptr, RTLD_NOW); }

#if defined(__GLIBC__)
namespace {

// The shim is linked with a long run path as a placeholder. Writing libpython's path over that text
// and turning the entry's tag into DT_NEEDED makes libpython a dependency of this very image.
bool point_shim_at(std::vector<char>& image, const std::string& library, std::string& error) {
  auto* header = reinterpret_cast<ElfW(Ehdr)*>(image.data());
  auto* segments = reinterpret_cast<ElfW(Phdr)*>(image.data() + header->e_phoff);
  ElfW(Dyn)* dynamic = nullptr;
  size_t entries = 0;
  auto file_offset = [&](ElfW(Addr) address) -> size_t {
    for (int i = 0; i < header->e_phnum; i++) {
      const auto& segment = segments[i];
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address < segment.p_vaddr + segment.p_filesz) {
        return address - segment.p_vaddr + segment.p_offset;
      }
    }
    return 0;
  };
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type != PT_DYNAMIC) continue;
    dynamic = reinterpret_cast<ElfW(Dyn)*>(image.data() + segments[i].p_offset);
    entries = segments[i].p_filesz / sizeof(ElfW(Dyn));
  }
  ElfW(Dyn)* placeholder = nullptr;
  size_t strings = 0;
  for (size_t i = 0; i < entries; i++) {
    if (dynamic[i].d_tag == DT_RUNPATH || dynamic[i].d_tag == DT_RPATH) placeholder = &dynamic[i];
    if (dynamic[i].d_tag == DT_STRTAB) strings = file_offset(dynamic[i].d_un.d_ptr);
  }
  if (placeholder == nullptr || strings == 0) {
    error = "the addon was built without the namespace shim's placeholder";
    return false;
  }
  char* text = image.data() + strings + placeholder->d_un.d_val;
  if (library.size() > std::strlen(text)) {
    error = "the path of libpython is longer than " + std::to_string(std::strlen(text)) +
            " characters: " + library;
    return false;
  }
  std::memcpy(text, library.c_str(), library.size() + 1);
  placeholder->d_tag = DT_NEEDED;
  return true;
}

// Where the C library's heap begins; it ends at sbrk(0).
const void* heap_start() {
  const void* start = sbrk(0);
  FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return start;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::strstr(line, "[heap]") == nullptr) continue;
    start = reinterpret_cast<const void*>(std::strtoull(line, nullptr, 16));
    break;
  }
  std::fclose(maps);
  return start;
}

std::string explain_dlmopen(const std::string& message) {
  if (message.find("no more namespaces") != std::string::npos) {
    return "the C library has no room for another private copy of libpython (" + message +
           "); open fewer interpreters, or start node with "
           "GLIBC_TUNABLES=glibc.rtld.nns=16:glibc.rtld.optional_static_tls=16384";
  }
  if (message.find("static TLS") != std::string::npos) {
    return message +
           "; start node with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384 for more room";
  }
  return message;
}

}  // namespace

bool has_namespaces(std::string&) { return true; }

void* open_namespace(const std::string& library, std::string& error) {
  std::vector<char> image(rxp_namespace_shim, rxp_namespace_shim_end);
  if (!point_shim_at(image, library, error)) return nullptr;

  int file = memfd_create("rxjs-python-namespace", MFD_CLOEXEC);
  if (file < 0 || write(file, image.data(), image.size()) != static_cast<ssize_t>(image.size())) {
    error = std::string("cannot make a memory file: ") + std::strerror(errno);
    if (file >= 0) close(file);
    return nullptr;
  }
  std::string path = "/proc/self/fd/" + std::to_string(file);
  void* handle = dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW);
  if (handle == nullptr) error = explain_dlmopen(dlerror());
  close(file);
  if (handle == nullptr) return nullptr;

  rxp_shim_setting setting{strdup(library.c_str()), heap_start(), sbrk, std::free};
  using SetUp = void (*)(const rxp_shim_setting*);
  auto set_up = reinterpret_cast<SetUp>(dlsym(handle, "rxp_shim_set_up"));
  if (set_up != nullptr) set_up(&setting);

  // Each libc finds its character tables through the thread; this thread was made by the first.
  using CtypeInit = void (*)();
  if (auto init = reinterpret_cast<CtypeInit>(dlsym(RTLD_DEFAULT, "__ctype_init"))) init();
  if (auto init = reinterpret_cast<CtypeInit>(dlsym(handle, "__ctype_init"))) init();
  return handle;
}

void trim_memory(void* handle) {
  using Trim = int (*)(size_t);
  void* where = handle == nullptr ? RTLD_DEFAULT : handle;
  if (auto trim = reinterpret_cast<Trim>(dlsym(where, "malloc_trim"))) trim(0);
}
#else
bool has_namespaces(std::string& why_not) {
  why_not = "isolation 'namespace' needs glibc's dlmopen; use isolation 'shared' here";
  return false;
}

void* open_namespace(const std::string&, std::string& error) {
  has_namespaces(error);
  return nullptr;
}

void trim_memory(void*) {}
#endif

bool wants_utf8() {
  const char* asked = std::getenv("PYTHONUTF8");
  if (asked != nullptr && *asked != '\0') return std::strcmp(asked, "1") == 0;
  locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale == nullptr) return true;  // there is no such locale here
  const std::string charset = nl_langinfo_l(CODESET, locale);
  freelocale(locale);
  return charset == "ANSI_X3.4-1968" || charset == "ASCII";  // glibc, musl
}

bool start_thread(std::function<void()> body, const char* name) {
  constexpr size_t kStackSize = 16u << 20;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  struct Start {
    std::function<void()> body;
    char name[16];
  };
  auto* start = new Start{std::move(body), {}};
  std::snprintf(start->name, sizeof start->name, "%s", name);
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    auto* self = static_cast<Start*>(argument);
    pthread_setname_np(pthread_self(), self->name);
    self->body();
    delete self;
    return nullptr;
  };
  int failed = pthread_create(&thread, &attributes, run, start);
  pthread_attr_destroy(&attributes);
  if (failed != 0) delete start;
  return failed == 0;
}

int interrupt_signal(int ordinal) {
  int signal = SIGRTMAX - 1 - ordinal;
  return signal > SIGRTMIN + 2 ? signal : -1;
}

void send_signal(pthread_t thread, int signal) { pthread_kill(thread, signal); }

#if defined(__GLIBC__)
namespace {

// fflush() waits for every stream's lock, and C code that does not return may hold one for good, as
// getchar() does while it waits. Then the process leaves without it.
void flush_output() {
  constexpr int kPatience = 1;  // seconds
  static sem_t& done = *new sem_t;
  sem_init(&done, 0, 0);
  bool started = start_thread(
      [] {
        std::fflush(nullptr);
        sem_post(&done);
      },
      "python-exit");
  if (!started) return;
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kPatience;
  while (sem_timedwait(&done, &until) != 0 && errno == EINTR) {
  }
}

}  // namespace
#endif
int make_event() { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void make_readable(int event) {
  uint64_t one = 1;
  (void)!write(event, &one, sizeof one);
}

void make_unreadable(int event) {
  uint64_t count = 0;
  (void)!read(event, &count, sizeof count);
}

void install_exit_hook() {
#if defined(__GLIBC__)
  // Not std::call_once: its parts come from Node's C++ library in some builds, and do not fit ours.
  static std::atomic<bool> done{false};
  if (done.exchange(true)) return;
  // process.exit() runs no clean-up hooks on the main thread, and a C extension's destructors would
  // join threads that Python still uses. Output is flushed, the exit code is kept.
  on_exit(
      [](int status, void*) {
        flush_output();
        _exit(status);
      },
      nullptr);
#endif
}

int lock_file(const std::string& path) {
  int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return -2;
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  int reason = errno;
  close(descriptor);
  errno = reason;
  return reason == EWOULDBLOCK ? -1 : -2;
}

void unlock_file(int descriptor) { close(descriptor); }

}  // namespace rxp::platform
