#!/bin/sh
# Installs duplex from a release of it:
#
#     curl -fsSL https://github.com/duplex-rs/duplex/releases/latest/download/install.sh | sh
#
#   DUPLEX_VERSION   a version, such as 0.1.0 (default: the newest)
#   DUPLEX_INSTALL   the folder of the folder bin (default: ~/.local)
#   DUPLEX_DOWNLOAD  where the files of the release are (default: GitHub)
#
# It writes one file, bin/duplex, and changes no file of a shell.
set -eu

fail() {
  echo "error: $1" >&2
  exit 1
}

main() {
  case "$(uname -s) $(uname -m)" in
  "Linux x86_64") target=x86_64-unknown-linux-gnu ;;
  "Linux aarch64" | "Linux arm64") target=aarch64-unknown-linux-gnu ;;
  "Darwin x86_64") target=x86_64-apple-darwin ;;
  "Darwin arm64") target=aarch64-apple-darwin ;;
  *) fail "there is no build of duplex for $(uname -s) $(uname -m)" ;;
  esac
  for tool in curl tar; do
    command -v "$tool" >/dev/null || fail "this needs $tool"
  done
  releases=https://github.com/duplex-rs/duplex/releases
  if [ -n "${DUPLEX_VERSION:-}" ]; then
    from=$releases/download/v$DUPLEX_VERSION
  else
    from=$releases/latest/download
  fi
  from=${DUPLEX_DOWNLOAD:-$from}
  archive=duplex-$target.tar.gz
  bin=${DUPLEX_INSTALL:-$HOME/.local}/bin

  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  for file in "$archive" SHA256SUMS; do
    curl --fail --location --silent --show-error --output "$folder/$file" "$from/$file" ||
      fail "$from/$file could not be downloaded"
  done
  wanted=$(sed -n "s/^\([0-9a-f]*\)  $archive\$/\1/p" "$folder/SHA256SUMS")
  [ -n "$wanted" ] || fail "$from/SHA256SUMS does not name $archive"
  found=$(sum "$folder/$archive")
  [ "$found" = "$wanted" ] ||
    fail "$from/$archive is damaged: its SHA-256 is $found, and SHA256SUMS says $wanted"

  tar -xzf "$folder/$archive" -C "$folder" duplex
  # A binary for another C library, such as Alpine's, does not start.
  "$folder/duplex" --version >/dev/null ||
    fail "the binary does not start here. On Linux it needs glibc 2.35 or newer"
  mkdir -p "$bin"
  # A rename, so that a duplex that runs keeps its file.
  mv "$folder/duplex" "$bin/.duplex.new"
  mv "$bin/.duplex.new" "$bin/duplex"
  echo "installed $("$bin/duplex" --version | head -n 1) as $bin/duplex"
  case ":$PATH:" in
  *":$bin:"*) ;;
  *)
    echo "$bin is not in your PATH. Put this line into the file that your shell reads:"
    echo "  export PATH=\"$bin:\$PATH\""
    ;;
  esac
}

sum() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1" | cut -d ' ' -f 1
  else
    shasum -a 256 "$1" | cut -d ' ' -f 1
  fi
}

# The shell has read all of this file before anything happens.
main
