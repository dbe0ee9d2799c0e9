# A toolchain file with one setting, for the QuickJS engine: its WebAssembly
# interpreter wants SIMDe, a header library, and would clone it from the
# network. Where the system has it (Debian: libsimde-dev) that copy is used.
if(EXISTS "/usr/include/simde/wasm/simd128.h")
  set(FETCHCONTENT_SOURCE_DIR_SIMDE "/usr" CACHE PATH "")
endif()
