#!/usr/bin/env bash
# Installs what Octavo is built from, out of Debian's or Ubuntu's packages; does nothing where all is there.
# Sourced by examples/quickstart.sh, tests/run.sh and .ci/run, so that the list stands in one place.

octavo_packages=(g++ cmake ninja-build pkg-config ccache libeigen3-dev libdnnl-dev nlohmann-json3-dev libjpeg-dev
  libpng-dev libwebp-dev libgif-dev libpcre2-dev libcli11-dev libcpp-httplib-dev libedit-dev catch2 python3)

say() { printf '\n== %s\n' "$*"; }

octavo_install() {
  local missing=() package
  for package in "${octavo_packages[@]}" "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "Packages: all there"
    return
  fi
  say "Packages: installing ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# octavo_build PRESET [TARGET...]: configures and builds it under build/PRESET, showing progress.
octavo_build() {
  local preset=$1
  shift
  say "Build: preset $preset on $(nproc) cores"
  cmake --preset "$preset"
  cmake --build --preset "$preset" ${1:+--target "$@"}
}
