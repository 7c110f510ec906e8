{
  "targets": [
    {
      # Carried inside the addon (native/platform/linux.cc). Its run path is a placeholder for the
      # path of the libpython that is chosen at run time.
      "target_name": "namespace_shim",
      # An "executable" linked with -shared: as a library gyp would link the addon to it, and as a
      # module it would end in .node, which the loader takes for the addon.
      "type": "executable",
      "product_extension": "so",
      "sources": ["<!@(node -p \"require('./native/sources.json').shim.join(' ')\")"],
      "include_dirs": ["native"],
      "cflags": ["-fPIC", "-fvisibility=hidden", "-O2"],
      "ldflags": ["-shared", "-Wl,-rpath,/rxjs-python/<!(node -p \"'x'.repeat(1500)\")", "-s"]
    },
    {
      "target_name": "rxjs_python",
      "dependencies": ["namespace_shim"],
      "sources": [
        "<!@(node -p \"require('./native/sources.json').core.join(' ')\")",
        "<!@(node -p \"require('./native/sources.json').binding.join(' ')\")"
      ],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "cflags_cc": ["-std=c++17", "-fvisibility=hidden", "-Wall", "-Wextra", "-O3"],
      "cflags_cc!": ["-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags": ["-Wa,-I<(PRODUCT_DIR)"],
      # Node unloads an addon when its only Worker leaves, under live Python threads. Worker processes
      # load it without Node, whose functions must not be looked for before they are called.
      # The C++ library goes inside, so that a prebuilt binary runs with any distribution's.
      "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,lazy", "-static-libstdc++", "-static-libgcc",
                  "-Wl,--exclude-libs,ALL"],
      "libraries": ["-ldl", "-lpthread"],
      "conditions": [
        ["OS=='linux'", {}, { "dependencies!": ["namespace_shim"] }]
      ]
    }
  ]
}
