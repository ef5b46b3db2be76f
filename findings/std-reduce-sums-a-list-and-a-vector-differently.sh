#!/bin/sh
# libstdc++ 12.2.0: std::reduce, even without an execution policy, adds four elements to each other before it adds them to the sum, but
# only where iterators are random-access.
# Expected: without a policy it goes from left to right like std::accumulate, and the sum depends on the numbers alone, not on
# the container that holds them.
# Real: 2^25 float ones in a std::vector sum to 2^25, the same ones in a std::list to 2^24, at which adding 1 no longer changes a float.
# std::accumulate has 2^24 for both. Changing a container changes the bits of a mean, or, as here, its first digit.
# Output seen:
#   accumulate: vector 16777216, list 16777216
#   reduce: vector 33554432, list 16777216
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download libstdc++-12-dev=12.2.0-14+deb12u1 2>/dev/null
dpkg -x libstdc++-12-dev_*.deb root
cat >reduce.cpp <<'CODE'
#include <cstdio>
#include <list>
#include <numeric>
#include <vector>

int main() {
  const std::vector<float> vector(1 << 25, 1.0f);
  const std::list<float> list(vector.begin(), vector.end());
  std::printf("accumulate: vector %.0f, list %.0f\n", std::accumulate(vector.begin(), vector.end(), 0.0f), std::accumulate(list.begin(), list.end(), 0.0f));
  std::printf("reduce: vector %.0f, list %.0f\n", std::reduce(vector.begin(), vector.end(), 0.0f), std::reduce(list.begin(), list.end(), 0.0f));
}
CODE
g++ -std=c++17 -O1 -march=x86-64 -nostdinc++ -isystem root/usr/include/c++/12 -isystem root/usr/include/x86_64-linux-gnu/c++/12 reduce.cpp -o reduce
./reduce | tee seen
cat >expected <<'TEXT'
accumulate: vector 16777216, list 16777216
reduce: vector 33554432, list 16777216
TEXT
diff expected seen
