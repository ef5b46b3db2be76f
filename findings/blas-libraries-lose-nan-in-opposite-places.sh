#!/bin/sh
# OpenBLAS 0.3.21 and the reference BLAS 3.11.0: which of them keeps a NaN changes from routine to routine.
# Expected: the same inputs give NaN in both or in neither, or one library is the careful one throughout.
# Real: dscal by 0 turns NaN and infinity into 0 in OpenBLAS, and into NaN in the reference. dger and dtrsv are the other way round: the
# reference leaves a zero of its vector out of the sum, so 0 · ∞ leaves no trace there, where OpenBLAS has NaN. idamax of (1, NaN, 3)
# is the place of the NaN in OpenBLAS and the place of 3 in the reference.
# A test for a diverged model that passes with one library says nothing of the other.
# Output seen:
#   OpenBLAS: dscal 0 0 | dger nan | dtrsv nan | idamax 2
#   reference: dscal nan nan | dger 1 | dtrsv 0 | idamax 3
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download libopenblas0-pthread=0.3.21+ds-4 libblas3=3.11.0-2 libgfortran5=12.2.0-14+deb12u1 \
  libquadmath0=12.2.0-14+deb12u1 2>/dev/null
for package in *.deb; do dpkg -x "$package" root; done
cat >blas.cpp <<'CODE'
#include <cmath>
#include <cstdio>

extern "C" {
void dscal_(const int* n, const double* a, double* x, const int* stride);
void dger_(const int* m, const int* n, const double* a, const double* x, const int*, const double* y, const int*, double* matrix, const int*);
void dtrsv_(const char*, const char*, const char*, const int* n, const double* matrix, const int*, double* x, const int*);
int idamax_(const int* n, const double* x, const int* stride);
}

// NaN without its sign.
double shown(double x) { return std::isnan(x) ? std::fabs(x) : x; }

int main() {
  const int n = 3, stride = 1;
  const double zero = 0, one = 1;
  double scaled[] = {NAN, INFINITY, 2};
  dscal_(&n, &zero, scaled, &stride);
  double ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  const double infinite[] = {INFINITY, 0, 0}, zeros[] = {0, 0, 0};
  dger_(&n, &n, &one, infinite, &stride, zeros, &stride, ones, &n);
  const double lower[] = {1, INFINITY, 0, 0, 1, 0, 0, 0, 1};
  double solution[] = {0, 0, 0};
  dtrsv_("L", "N", "N", &n, lower, &n, solution, &stride);
  const double second[] = {1, NAN, 3};
  std::printf("dscal %g %g | dger %g | dtrsv %g | idamax %d\n", shown(scaled[0]), shown(scaled[1]), shown(ones[0]), shown(solution[1]),
              idamax_(&n, second, &stride));
}
CODE
libraries=$folder/root/usr/lib/x86_64-linux-gnu
run() {
  g++ -O1 blas.cpp -o "$1" "$2/libblas.so.3" -Wl,--allow-shlib-undefined
  printf '%s: ' "$1"
  LD_LIBRARY_PATH=$2:$libraries "./$1"
}
{
  run OpenBLAS "$libraries/openblas-pthread"
  run reference "$libraries/blas"
} | tee seen
cat >expected <<'TEXT'
OpenBLAS: dscal 0 0 | dger nan | dtrsv nan | idamax 2
reference: dscal nan nan | dger 1 | dtrsv 0 | idamax 3
TEXT
diff expected seen
