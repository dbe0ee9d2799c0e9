# Sourced by what builds: brings the tools and the engine. Sets
#   engine    v8 or quickjs
#   features  what cargo is given for it

# shellcheck source=scripts/engine-choice.sh
. "$(dirname "${BASH_SOURCE[0]}")/engine-choice.sh"

# libclang reads the headers of nghttp2, which is the http2 of Node.js.
need ca-certificates curl:curl gcc:gcc g++:g++ git:git libc6-dev libclang-dev cmake:cmake pkg-config:pkg-config
need_rust
choose_engine
case $engine in
v8)
  features=()
  ;;
quickjs)
  features=(--no-default-features --features quickjs)
  need libsimde-dev
  export CMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE:-$root/cmake/simde.cmake}
  ;;
esac
