/* The first object of every namespace. Its DT_NEEDED tree, which the addon extends by the libpython
 * that was chosen, is the namespace's global scope, so extension modules that do not link libpython
 * find its symbols there. It also stands in front of dlopen for two calls that a namespace cannot
 * serve: RTLD_GLOBAL (glibc 2.36 crashes on it outside the main namespace), and the null name, which
 * would name Node's own executable instead of libpython. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

static const char* library;

__attribute__((visibility("default"))) void rxp_shim_set_library(const char* path) {
  library = path;
}

__attribute__((visibility("default"))) void* dlopen(const char* file, int flags) {
  void* (*next)(const char*, int) = (void* (*)(const char*, int))dlsym(RTLD_NEXT, "dlopen");
  if (next == NULL) return NULL;
  if (file == NULL && library != NULL) return next(library, RTLD_NOW | RTLD_NOLOAD);
  return next(file, flags & ~RTLD_GLOBAL);
}
