#!/bin/sh
# Boots what fetch.sh built, records the run, replays it and checks the trace. Arguments are given to `record`, for
# example --kernel build/vmlinuz (the last one counts) or --max-ticks N.
set -eu
cd "$(dirname "$0")"
for image in vmlinux vmlinuz initramfs.cpio; do
  [ -r "build/$image" ] || { echo "record.sh: build/$image is missing: run ./fetch.sh first" >&2; exit 6; }
done
npx replay86 record -o build/boot.trace --memory 64M \
  --kernel build/vmlinuz --initrd build/initramfs.cpio --append "console=ttyS0" "$@"
npx replay86 inspect build/boot.trace
npx replay86 replay build/boot.trace
npx replay86 verify build/boot.trace
