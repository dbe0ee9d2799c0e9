# Sourced by the scripts beside it: messages, the places they share, and the
# Debian packages a bare machine lacks.

set -euo pipefail
# A command that fails ends $(…), too.
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

target_dir=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target_dir"
target_dir=$(cd "$target_dir" && pwd)
cache_dir=${XDG_CACHE_HOME:-$HOME/.cache}/duplex
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Debian has servers in /usr/sbin, where only root looks.
export PATH="$cargo_home/bin:$PATH:/usr/sbin"

# Packages that are workspaces of their own, each with a Cargo.lock.
apart=(ext/websocket/protocol/bench ext/websocket/protocol/fuzz ext/http/fuzz bench/load)

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n==> %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf '  %s\n' "$hint" >&2; done
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: as it is for root, with sudo for everybody else.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo: $*"
  fi
}

installed() {
  have dpkg-query &&
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need [COMMAND:]PACKAGE... - Debian packages; one with a command is there when the
# command is. On other systems the reader is told what is missing.
need() {
  local wanted package command missing=()
  for wanted in "$@"; do
    package=${wanted##*:}
    command=${wanted%"$package"}
    command=${command%:}
    if [ -n "$command" ]; then
      have "$command" || missing+=("$package")
    else
      installed "$package" || missing+=("$package")
    fi
  done
  [ ${#missing[@]} = 0 ] && return
  if ! have apt-get || ! have dpkg-query; then
    say "not a Debian system: please make sure that you have what it calls ${missing[*]}"
    return
  fi
  step "installing ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  as_root "${apt[@]}" update >/dev/null
  as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The Rust toolchain: the one that is there, where it is new enough. There is no
# rust-toolchain.toml, because with it rustup downloads that version though a newer
# one is there, which a closed network does not let it.
need_rust() {
  have cargo || install_rust
  local have_version
  have_version=$(rustc --version | cut -d' ' -f2)
  printf '%s\n%s\n' "$(wanted_rust)" "$have_version" | sort -VC ||
    fail "Rust $(wanted_rust) or newer is needed, this is $have_version" \
      "rustup update stable"
}

# Debian's own cargo is older than what the sources ask for (`rust-version` in
# Cargo.toml), so rustup brings it: a version of rustup by its checksum, as
# https://github.com/rust-lang/docker-rust has them too, and a version of Rust, whose
# parts rustup checks. No file of a shell is changed.
rustup_version=1.29.0
rustup_sums() {
  cat <<EOF
4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10  x86_64-unknown-linux-gnu
9732d6c5e2a098d3521fca8145d826ae0aaa067ef2385ead08e6feac88fa5792  aarch64-unknown-linux-gnu
EOF
}

install_rust() {
  local host folder url sum
  host=$(uname -m)-unknown-linux-gnu
  [ "$(uname -s)" = Linux ] || host=none
  sum=$(rustup_sums | sed -n "s/  $host\$//p")
  [ -n "$sum" ] || no_rust "no rustup is known here for $(uname -sm)"
  url=${RUSTUP_UPDATE_ROOT:-https://static.rust-lang.org/rustup}/archive/$rustup_version/$host/rustup-init
  step "installing Rust $(wanted_rust) with rustup $rustup_version into $cargo_home and ${RUSTUP_HOME:-$HOME/.rustup}"
  need ca-certificates curl:curl
  folder=$target_dir/rustup
  mkdir -p "$folder"
  curl --proto '=https' --tlsv1.2 --fail --silent --show-error --output "$folder/rustup-init" "$url" ||
    no_rust "$url could not be downloaded"
  [ "$(sha256sum <"$folder/rustup-init")" = "$sum  -" ] ||
    no_rust "$url is not what scripts/lib.sh expects: its SHA-256 is not $sum"
  chmod +x "$folder/rustup-init"
  "$folder/rustup-init" -y --no-modify-path --profile minimal --component clippy,rustfmt \
    --default-toolchain "$(wanted_rust)" >&2 || no_rust "rustup could not install it"
  rm -r "$folder"
  say "Rust is there for the scripts of this folder; for a shell of yours: . $cargo_home/env"
}

no_rust() {
  fail "Rust is missing, and $1" "install Rust $(wanted_rust) or newer from https://rustup.rs and come back"
}

wanted_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

# The version of a crate in Cargo.lock.
locked() { sed -n "/^name = \"$1\"\$/{n;s/version = \"\(.*\)\"/\1/p}" Cargo.lock; }

host_triple() { rustc -vV | sed -n 's/^host: //p'; }

# python_env NAME REQUIREMENTS - a virtual environment with packages pinned by their
# hashes, made once and made anew when the requirements change. Only wheels are
# taken: what a source package needs to be built has no hash. Prints its folder.
python_env() {
  local env=$target_dir/python/$1 stamp
  stamp=$(sha256sum <"$2")
  if [ "$(cat "$env/stamp" 2>/dev/null || echo none)" != "$stamp" ]; then
    need python3:python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
    rm -rf "$env"
    # Said aloud, since `set -e` is off where the caller asks whether this fails.
    python3 -m venv "$env" >&2 &&
      "$env/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --only-binary :all: --requirement "$2" >&2 ||
      fail "the packages of $2 could not be installed"
    printf '%s\n' "$stamp" >"$env/stamp"
  fi
  printf '%s\n' "$env"
}

# npm_install FOLDER WHAT - the npm packages of a folder, as its package-lock.json has
# them with their hashes, installed anew when that changes. No script of theirs runs.
npm_install() {
  local folder=$1 stamp
  stamp=$(sha256sum <"$folder/package-lock.json")
  [ "$(cat "$folder/node_modules/.stamp" 2>/dev/null || echo none)" = "$stamp" ] && return
  need node:nodejs npm:npm
  step "installing $2 from npm"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
    fail "the packages of $folder/package-lock.json could not be installed"
  printf '%s\n' "$stamp" >"$folder/node_modules/.stamp"
}

# The npm packages of tests/interop: Deno, Bun and ws as peers, and Deno's
# formatter and linter.
npm_packages() { npm_install "$root/tests/interop" "Deno, Bun and ws"; }

# The packages that tests/packages tries.
package_programs() { npm_install "$root/tests/packages" "the packages of tests/packages"; }

deno_binary() {
  local binary
  for binary in "$root"/tests/interop/node_modules/@deno/*/deno; do
    [ -x "$binary" ] && printf '%s\n' "$binary" && return
  done
  fail "npm has no build of Deno for this system"
}

bun_binary() {
  local binary
  for binary in "$root"/tests/interop/node_modules/@oven/*/bin/bun; do
    [ -x "$binary" ] && "$binary" --version >/dev/null 2>&1 && printf '%s\n' "$binary" && return
  done
  fail "npm has no build of Bun for this system"
}
