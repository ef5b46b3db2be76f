#!/bin/sh
# Eigen 3.4.0: exp of an array holds its argument above the logarithm of the smallest normal number, so exp(-inf) is not 0.
# Expected: 0 for every element, as std::exp gives. A score masked with -inf gets no weight.
# Real: a positive number, about half the smallest normal one, for elements that fill a SIMD register; 0 for those left over at the
# end of the array, which go through std::exp. So a value depends on its place, and `weight > 0` does not find what was masked.
# Output seen, for five doubles and five floats, all -inf:
#   double: 5.5555294837733886e-309 5.5555294837733886e-309 5.5555294837733886e-309 5.5555294837733886e-309 0
#   float: 2.93826504e-39 2.93826504e-39 2.93826504e-39 2.93826504e-39 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download libeigen3-dev=3.4.0-4 2>/dev/null
dpkg -x libeigen3-dev_*.deb root
cat >exp.cpp <<'CODE'
#include <Eigen/Core>
#include <cstdio>
#include <limits>

template <class T>
void print(const char* name, const char* format) {
  const Eigen::Array<T, Eigen::Dynamic, 1> scores = Eigen::Array<T, Eigen::Dynamic, 1>::Constant(5, -std::numeric_limits<T>::infinity());
  const Eigen::Array<T, Eigen::Dynamic, 1> weights = scores.exp();
  std::printf("%s:", name);
  for (const T weight : weights) std::printf(format, static_cast<double>(weight));
  std::puts("");
}

int main() {
  print<double>("double", " %.17g");
  print<float>("float", " %.9g");
}
CODE
g++ -std=c++17 -O2 -march=x86-64 -isystem root/usr/include/eigen3 exp.cpp -o exp
./exp | tee seen
cat >expected <<'TEXT'
double: 5.5555294837733886e-309 5.5555294837733886e-309 5.5555294837733886e-309 5.5555294837733886e-309 0
float: 2.93826504e-39 2.93826504e-39 2.93826504e-39 2.93826504e-39 0
TEXT
diff expected seen
