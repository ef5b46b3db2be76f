// Fourier transforms beside the catalogue's rows: what they are for, and what they refuse.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

Tensor times(const Tensor& a, const Tensor& b) {
  const Tensor ar = a.slice(xt::ellipsis(), 0), ai = a.slice(xt::ellipsis(), 1), br = b.slice(xt::ellipsis(), 0), bi = b.slice(xt::ellipsis(), 1);
  return stack({ar * br - ai * bi, ar * bi + ai * br}, -1);
}

TEST(Fft, GoesThereAndBack) {
  Generator generator(4);
  for (const std::int64_t n : {1, 2, 3, 4, 7, 16, 30, 97, 1000}) {
    SCOPED_TRACE(n);
    const Tensor x = generator.normal({3, n}, 0, 1, DType::float64), z = generator.normal({n, 2, 2}, 0, 1, DType::float64);
    expect_near(irfft(rfft(x), n), values(x));
    expect_near(ifft(fft(z, 0), 0), values(z));
    const Tensor pairs = stack({x, zeros_like(x)}, -1);
    expect_near(fft(pairs).slice(xt::all(), xt::range(0, n / 2 + 1)), values(rfft(x)), 1e-11);
  }
}

TEST(Fft, TurnsConvolutionIntoProducts) {
  const std::int64_t n = 24;
  Generator generator(6);
  const Tensor x = generator.normal({n}, 0, 1, DType::float64), kernel = generator.normal({n}, 0, 1, DType::float64);
  const auto by_spectra = [&](const std::vector<Tensor>& in) { return irfft(times(rfft(in[0]), rfft(in[1])), n); };
  const auto by_sums = [&](const std::vector<Tensor>& in) {
    Tensor sum = zeros({n}, DType::float64);
    for (std::int64_t j = 0; j < n; ++j) sum = sum + in[1].slice(j) * roll(in[0], j, 0);
    return sum;
  };
  expect_near(by_spectra({x, kernel}), values(by_sums({x, kernel})));
  const auto loss = [](const TensorFunction& f) { return [f](const std::vector<Tensor>& in) { return sum(power(f(in), 3)); }; };
  const auto a = grad(loss(by_spectra))({x, kernel}), b = grad(loss(by_sums))({x, kernel});
  for (std::size_t i = 0; i < 2; ++i) expect_near(a[i], values(b[i]), 1e-10);
  EXPECT_TRUE(gradgradcheck(by_spectra, {x, kernel}, {.atol = 1e-6}));
}

TEST(Fft, HasTransposesThatAreExact) {
  // ⟨A x, g⟩ = ⟨x, Aᵀ g⟩ needs no differences.
  Generator generator(8);
  for (const std::int64_t n : {1, 2, 5, 8, 12, 63}) {
    SCOPED_TRACE(n);
    const Tensor x = generator.normal({n}, 0, 1, DType::float64), g = generator.normal({n / 2 + 1, 2}, 0, 1, DType::float64);
    const Pullback there = vjp([](const std::vector<Tensor>& in) { return rfft(in[0]); }, {x});
    EXPECT_NEAR(sum(there.value * g).item(), sum(x * there.pull(g)[0]).item(), 1e-11);
    const Pullback back = vjp([n](const std::vector<Tensor>& in) { return irfft(in[0], n); }, {g});
    EXPECT_NEAR(sum(back.value * x).item(), sum(g * back.pull(x)[0]).item(), 1e-11);
  }
}

TEST(Fft, IsAccurateInFloat32) {
  const Tensor x = Generator(9).normal({4096});
  const Tensor exact = rfft(x.to(DType::float64));
  EXPECT_EQ(rfft(x).dtype(), DType::float32);
  EXPECT_LT(max(abs(rfft(x).to(DType::float64) - exact)).item(), 1e-7 * max(abs(exact)).item());
  EXPECT_EQ(rfft(Tensor{1, 2, 3}).dtype(), DType::float64);
}

TEST(Fft, RemembersOnlySomeLengths) {
  for (std::int64_t n = 1; n < 100; ++n) EXPECT_NEAR(rfft(ones({n}, DType::float64)).slice(0, 0).item(), static_cast<double>(n), 1e-12);
}

TEST(Fft, RefusesWhatDoesNotFit) {
  const Tensor x = zeros({3, 4}), y = zeros({3, 4, 2});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { rfft(x, 2); }, {"rfft", "(3, 4)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { rfft(Tensor(1.0)); }, {"rfft"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { rfft(zeros({2, 0})); }, {"rfft", "(2, 0)", "nothing"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { irfft(x, 6); }, {"irfft", "(3, 4)", "last axis of 2"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { irfft(y, 6, 2); }, {"irfft", "(3, 4)"}));
  for (const std::int64_t n : {-1, 0, 4, 5, 8}) EXPECT_TRUE(throws<std::invalid_argument>([&] { irfft(y, n); }, {"irfft", "(3, 4, 2)", std::to_string(n)}));
  for (const std::int64_t n : {6, 7}) EXPECT_EQ(irfft(y, n).shape(), (Shape{3, n}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { fft(x); }, {"fft", "(3, 4)", "last axis of 2"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { ifft(zeros({0, 2})); }, {"ifft", "(0, 2)"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { rfft(Tensor()); }, {"rfft", "undefined"}));
}

}  // namespace
