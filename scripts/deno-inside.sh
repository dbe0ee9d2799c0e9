# Sourced by what needs Deno with duplex inside.

# Deno has no other engine.
ENGINE=v8
# shellcheck source=scripts/engine.sh
. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"

# Sets `deno` to the program, which is built unless $DENO names one.
deno_inside() {
  deno=${DENO:-}
  if [ -z "$deno" ]; then
    local version
    version=$(sed -n '/^name = "v8"$/{n;s/version = "\(.*\)"/\1/p}' deno/Cargo.lock)
    [ "$version" = "$(locked v8)" ] ||
      fail "deno/Cargo.lock has v8 $version, and Cargo.lock has v8 $(locked v8)" \
        "one library of V8 serves both: take the same version"
    step "building Deno with duplex inside (the first time takes about an hour of one core)"
    cargo build --release --locked --manifest-path deno/Cargo.toml --target-dir "$target_dir/deno" --bin deno
    deno=$target_dir/deno/release/deno
  fi
  deno=$(realpath "$deno")
  export DENO_NO_UPDATE_CHECK=1
  "$deno" run deno/is_inside.js >&2 || fail "$deno is not Deno with duplex inside" \
    "did cargo warn that the patch was not used? the stand-ins need the versions that deno_runtime asks for"
}
