#!/bin/sh
# xsimd 8.1.0: log, log2, log10 and cbrt of subnormal doubles are finite and wrong; of subnormal floats they are right.
# Expected: the last digits may differ from the C library's, whatever the size of the argument, and both types behave alike.
# Real: for 1e-310, log is 33 too small, log10 is 14 too small, and cbrt lacks a fifth of its value. Nothing is NaN or infinite, so
# a log-likelihood of tiny probabilities is silently wrong in float64 where float32 would not have been.
# Output seen, xsimd beside the C library:
#   double log: -746.515 -713.801
#   double log2: -1076.99 -1029.8
#   double log10: -324.207 -310
#   double cbrt: 3.68403e-104 4.64159e-104
#   float log: -92.1034 -92.1034
#   float cbrt: 4.64158e-14 4.64158e-14
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download libxsimd-dev=8.1.0-7 2>/dev/null
dpkg -x libxsimd-dev_*.deb root
cat >log.cpp <<'CODE'
#include <cmath>
#include <cstdio>
#include <xsimd/xsimd.hpp>

#define PRINT(T, function, x) \
  std::printf(#T " " #function ": %g %g\n", double(xsimd::function(xsimd::batch<T>(x)).get(0)), double(std::function(T(x))))

int main() {
  PRINT(double, log, 1e-310);
  PRINT(double, log2, 1e-310);
  PRINT(double, log10, 1e-310);
  PRINT(double, cbrt, 1e-310);
  PRINT(float, log, 1e-40f);
  PRINT(float, cbrt, 1e-40f);
}
CODE
g++ -std=c++17 -O2 -march=x86-64 -isystem root/usr/include log.cpp -o log
./log | tee seen
cat >expected <<'TEXT'
double log: -746.515 -713.801
double log2: -1076.99 -1029.8
double log10: -324.207 -310
double cbrt: 3.68403e-104 4.64159e-104
float log: -92.1034 -92.1034
float cbrt: 4.64158e-14 4.64158e-14
TEXT
diff expected seen
