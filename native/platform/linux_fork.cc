// Node's forks, without the fork handlers of Python's libraries.
//
// OpenBLAS, which numpy brings, stops its threads before every fork and waits for them. While
// another thread is in the middle of a computation that wait may never end, and the fork may be
// Node's: any child_process.spawn() would then hold the JavaScript thread for ever. What Node forks
// becomes another program at once and needs none of the handlers, so Node's calls of fork() are
// sent to _Fork(), which runs none. Python's own forks keep theirs.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "platform/platform.h"

namespace rxp::platform {

#if defined(__GLIBC__)
namespace {

using Fork = pid_t (*)();

Fork bare_fork = nullptr;

pid_t fork_without_handlers() {
  if (bare_fork != nullptr) return bare_fork();
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

// Where the program itself keeps the address of fork(); null where it does not call it.
void** fork_slot(const link_map& program) {
  const char* strings = nullptr;
  const ElfW(Sym)* symbols = nullptr;
  const ElfW(Rela)* relocations = nullptr;
  size_t size = 0;
  // The loader has added the program's base to these addresses already, where there is one.
  auto address = [&](ElfW(Addr) value) {
    return reinterpret_cast<const void*>(value < program.l_addr ? value + program.l_addr : value);
  };
  for (const ElfW(Dyn)* entry = program.l_ld; entry->d_tag != DT_NULL; entry++) {
    switch (entry->d_tag) {
      case DT_STRTAB:
        strings = static_cast<const char*>(address(entry->d_un.d_ptr));
        break;
      case DT_SYMTAB:
        symbols = static_cast<const ElfW(Sym)*>(address(entry->d_un.d_ptr));
        break;
      case DT_JMPREL:
        relocations = static_cast<const ElfW(Rela)*>(address(entry->d_un.d_ptr));
        break;
      case DT_PLTRELSZ:
        size = entry->d_un.d_val;
        break;
      case DT_PLTREL:
        if (entry->d_un.d_val != DT_RELA) return nullptr;
        break;
    }
  }
  if (strings == nullptr || symbols == nullptr || relocations == nullptr) return nullptr;
  for (size_t i = 0; i < size / sizeof(ElfW(Rela)); i++) {
    const ElfW(Rela) & relocation = relocations[i];
    const char* name = strings + symbols[ELF64_R_SYM(relocation.r_info)].st_name;
    if (std::strcmp(name, "fork") != 0) continue;
    return reinterpret_cast<void**>(program.l_addr + relocation.r_offset);
  }
  return nullptr;
}

// Whether the loader made this place read-only when it was done with it.
bool is_read_only(const link_map& program, const void* place) {
  auto* segments = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  for (size_t i = 0; segments != nullptr && i < getauxval(AT_PHNUM); i++) {
    if (segments[i].p_type != PT_GNU_RELRO) continue;
    ElfW(Addr) start = program.l_addr + segments[i].p_vaddr;
    auto at = reinterpret_cast<ElfW(Addr)>(place);
    return at >= start && at < start + segments[i].p_memsz;
  }
  return false;
}

void redirect() {
  link_map* program = nullptr;
  void* handle = dlopen(nullptr, RTLD_NOW);
  if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &program) != 0) return;
  void** slot = fork_slot(*program);
  if (slot == nullptr) return;
  bare_fork = reinterpret_cast<Fork>(dlsym(RTLD_DEFAULT, "_Fork"));  // glibc 2.34 and later
  auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) & ~(page_size - 1));
  bool read_only = is_read_only(*program, slot);
  if (read_only && mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0) return;
  __atomic_store_n(slot, reinterpret_cast<void*>(fork_without_handlers), __ATOMIC_RELEASE);
  if (read_only) mprotect(page, page_size, PROT_READ);
}

}  // namespace

void keep_fork_handlers_from_node() {
  // Not std::call_once: its parts come from Node's C++ library in some builds, and do not fit ours.
  static std::atomic<bool> done{false};
  if (!done.exchange(true)) redirect();
}
#else
void keep_fork_handlers_from_node() {}
#endif

}  // namespace rxp::platform
