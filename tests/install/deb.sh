#!/usr/bin/env bash
# Makes the Debian packages of a build, installs them, uses them as others would, and removes them. It changes the system:
# for a bare root only.
#   tests/bare_root.sh trixie bash -c './examples/quickstart.sh && ./tests/install/deb.sh build/release'
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
source examples/setup.sh
octavo_install file dpkg-dev
say "Building what quickstart left out"
cmake --build "$build" --target all
say "Packages"
packages=$build/packages
rm -rf "$packages"
cpack --config "$build/CPackConfig.cmake" -B "$packages" >/dev/null
rm -rf "$packages/_CPack_Packages"
for package in "$packages"/*.deb; do
  dpkg-deb -f "$package" Package Version Depends Installed-Size
done
find / -xdev -path /proc -prune -o -path "$PWD" -prune -o -type f -print | sort >/tmp/before
apt-get install -y -q --no-install-recommends "$packages"/*.deb
say "Used"
model=/usr/share/octavo/models/octavo-tiny-vl
picture=$PWD/examples/models/octavo-tiny-vl/eval/000.png
question="What colour is the circle?"
scratch=$(mktemp -d)
octavo-server --version
octavo generate $model --image "$picture" --prompt "$question" --max-new-tokens 8 </dev/null
# shellcheck disable=SC2046  # the flags are words
cc -std=c99 /usr/share/octavo/examples/c/answer.c -o "$scratch/answer" $(pkg-config --cflags --libs octavo)
"$scratch/answer" $model "$picture" "$question"
for language in c cpp; do
  cmake -S tests/install/$language -B "$scratch/$language" -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build "$scratch/$language" >/dev/null
  "$scratch/$language/outside" $model "$picture" "$question"
done
rm -rf "$scratch"
say "Removed"
apt-get remove -y -q --purge octavo octavo-server liboctavo0 liboctavo-dev
find / -xdev -path /proc -prune -o -path "$PWD" -prune -o -type f -print | sort >/tmp/after
left=$(comm -13 /tmp/before /tmp/after | grep -E 'octavo' || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
echo "nothing of octavo is left"
