/* The first object of every namespace. Its DT_NEEDED tree, which the addon extends by the libpython
 * that was chosen, is the namespace's global scope, so extension modules that do not link libpython
 * find its symbols there. It also stands in front of dlopen for two calls that a namespace cannot
 * serve: RTLD_GLOBAL (glibc 2.36 crashes on it outside the main namespace), and the null name,
 * which would name Node's own executable instead of libpython.
 *
 * And it stands in front of free. A thread that ends leaves its stack to the next one, whichever C
 * library starts that. The next thread's creator frees the dynamic thread-local storage that it
 * finds there with its own free, though the dynamic linker got that memory from the first C
 * library's malloc. (libpython has such storage from 3.12 on, and so has the addon.) What lies in
 * the first library's heap is given back there; arenas beside that heap know their owner. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/namespace_shim.h"

#define EXPORT __attribute__((visibility("default")))

extern void __libc_free(void* memory);

static struct rxp_shim_setting setting;

EXPORT void rxp_shim_set_up(const struct rxp_shim_setting* given) { setting = *given; }

EXPORT void free(void* memory) {
  if (setting.free != NULL && (char*)memory >= (char*)setting.heap &&
      (char*)memory < (char*)setting.sbrk(0)) {
    setting.free(memory);
  } else {
    __libc_free(memory);
  }
}

EXPORT void* dlopen(const char* file, int flags) {
  void* (*next)(const char*, int) = (void* (*)(const char*, int))dlsym(RTLD_NEXT, "dlopen");
  if (next == NULL) return NULL;
  if (file == NULL && setting.library != NULL) {
    return next(setting.library, RTLD_NOW | RTLD_NOLOAD);
  }
  return next(file, flags & ~RTLD_GLOBAL);
}
