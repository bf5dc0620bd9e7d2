#!/bin/sh
# A little of everything a shell script does: files, pipes, processes, arithmetic, the clock.
set -eu

echo "== system"
uname -srm
date -u
grep -E 'model name|^flags' /proc/cpuinfo
head -n 3 /proc/meminfo
ls -l / /dev

echo "== arithmetic"
i=0
sum=0
while [ "$i" -lt 2000 ]; do
  sum=$(((sum * 31 + i) % 1000003))
  i=$((i + 1))
done
echo "sum $sum"

echo "== sort"
i=0
while [ "$i" -lt 500 ]; do
  echo "$((i * 7919 % 503))"
  i=$((i + 1))
done > /tmp/numbers
sort -n /tmp/numbers > /tmp/sorted
head -n 3 /tmp/sorted
tail -n 3 /tmp/sorted
wc -l /tmp/sorted

echo "== digest"
sha256sum /tmp/sorted /bin/busybox

echo "== interrupts"
cat /proc/interrupts
echo "== end"
