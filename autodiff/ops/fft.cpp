#include <autodiff/core/per_thread.hpp>
#include <autodiff/ops/batching.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/fft.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <complex>
#include <set>
#include <stdexcept>
#include <unsupported/Eigen/FFT>
#include <vector>

namespace xgrad {
namespace {

using detail::Array;
using Complex = std::complex<double>;

/// Eigen's, which keeps factors for the lengths it has met; of a thread.
Eigen::FFT<double>& engine(std::int64_t n) {
  struct Engine {
    Eigen::FFT<double> fft{Eigen::default_fft_impl<double>(), Eigen::FFT<double>::Flag(Eigen::FFT<double>::Unscaled | Eigen::FFT<double>::HalfSpectrum)};
    std::set<std::int64_t> lengths;
  };
  auto& engine = detail::per_thread<Engine>();
  if (engine.lengths.size() >= 32 && !engine.lengths.contains(n)) {
    engine.lengths.clear();
    engine.fft.impl().clear();
  }
  engine.lengths.insert(n);
  return engine.fft;
}

/// Calls f(from, to) with each line of the last axis, copied into vectors of the types and lengths given. Complex lines are those of
/// the axis before the pairs.
template <class In, class Out, class F>
void for_each_line(const Array& input, std::int64_t n_in, const Array& output, std::int64_t n_out, const F& f) {
  if (output.size == 0) return;
  dispatch(output.dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      const detail::Contiguous<T> values(input);
      const T* x = values.data();
      T* y = output.as<T>();
      std::vector<In> from(static_cast<std::size_t>(n_in));
      std::vector<Out> to(static_cast<std::size_t>(n_out));
      constexpr std::int64_t in_width = sizeof(In) / sizeof(double), out_width = sizeof(Out) / sizeof(double);
      const std::int64_t lines = output.size / (n_out * out_width);
      for (std::int64_t line = 0; line < lines; ++line, x += n_in * in_width, y += n_out * out_width) {
        std::copy_n(x, n_in * in_width, reinterpret_cast<double*>(from.data()));
        f(from.data(), to.data());
        const double* const result = reinterpret_cast<const double*>(to.data());
        for (std::int64_t i = 0; i < n_out * out_width; ++i) y[i] = static_cast<T>(result[i]);
      }
    }
  });
}

Tensor to_spectrum(const Tensor& x);
Tensor to_signal(const Tensor& y, std::int64_t n);

/// Of a half spectrum: its own coefficients at the ends, which stand for themselves, `between` where they stand for two.
Tensor weights(std::int64_t n, double between, DType dtype) {
  const std::int64_t count = n / 2 + 1;
  return detail::make_leaf({count, 1}, dtype, [&](void* values) {
    dispatch(dtype, [&]<class T>(T) {
      for (std::int64_t k = 0; k < count; ++k) static_cast<T*>(values)[k] = static_cast<T>(k == 0 || 2 * k == n ? 1 : between);
    });
  });
}

/// Real lines to half spectra.
struct RealToComplex final : GeneralOp {
  std::string_view name() const override { return "rfft"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back();
    for_each_line<double, Complex>(inputs[0], n, output, n / 2 + 1, [&](const double* x, Complex* y) {
      if (n == 1) *y = *x;
      else engine(n).fwd(y, x, n);
    });
  }
  // Of what is linear the transpose: Σ over the half spectrum that was made, where the other direction counts most of it twice.
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    const std::int64_t n = inputs[0].shape(-1);
    return to_signal(g * weights(n, 0.5, g.dtype()), n);
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by_leading_axes(); }
};

/// Half spectra to real lines, not divided by their length.
struct ComplexToReal final : GeneralOp {
  std::string_view name() const override { return "irfft"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back();
    for_each_line<Complex, double>(inputs[0], n / 2 + 1, output, n, [&](const Complex* y, double* x) {
      if (n == 1) *x = y->real();
      else engine(n).inv(x, y, n);
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    return to_spectrum(g) * weights(g.shape(-1), 2, g.dtype());
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by_leading_axes(); }
};

template <bool inverse>
Tensor transform(const Tensor& x);

/// Complex lines to complex lines, not divided by their length.
template <bool inverse>
struct ComplexToComplex final : GeneralOp {
  std::string_view name() const override { return inverse ? "ifft" : "fft"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = (*output.shape)[output.shape->size() - 2];
    for_each_line<Complex, Complex>(inputs[0], n, output, n, [&](const Complex* x, Complex* y) {
      if (n == 1) *y = *x;
      else if (inverse) engine(n).inv(y, x, n);
      else engine(n).fwd(y, x, n);
    });
  }
  // The conjugate transpose: of pairs of reals the transpose.
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return transform<!inverse>(g); }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by_leading_axes(); }
};

Tensor to_spectrum(const Tensor& x) {
  Shape shape = x.shape();
  shape.back() = shape.back() / 2 + 1;
  shape.push_back(2);
  return detail::record(detail::shared_op<RealToComplex>(), {&x, 1}, std::move(shape), x.dtype());
}

Tensor to_signal(const Tensor& y, std::int64_t n) {
  Shape shape(y.shape().begin(), y.shape().end() - 1);
  shape.back() = n;
  return detail::record(detail::shared_op<ComplexToReal>(), {&y, 1}, std::move(shape), y.dtype());
}

template <bool inverse>
Tensor transform(const Tensor& x) {
  return detail::record(detail::shared_op<ComplexToComplex<inverse>>(), {&x, 1}, x.shape(), x.dtype());
}

/// In a floating dtype, `axis` counted from the front, without the pairs of complex values.
Tensor prepared(std::string_view op, const Tensor& x, bool complex, std::int64_t& axis) {
  detail::check_defined(op, x);
  const auto refuse = [&](const std::string& why) { throw detail::located<std::invalid_argument>(std::string(op) + ": shape " + to_string(x.shape()) + " " + why); };
  if (complex && (x.dim() == 0 || x.shape(-1) != 2)) refuse("has no last axis of 2, real and imaginary parts");
  const Shape shape(x.shape().begin(), x.shape().end() - (complex ? 1 : 0));
  axis = normalize_axis(op, axis, shape);
  if (x.shape(axis) == 0) refuse("has nothing along axis " + std::to_string(axis));
  if (x.shape(axis) > (std::int64_t{1} << 29)) refuse("is too long along axis " + std::to_string(axis));
  return is_floating(x.dtype()) ? x : x.to(DType::float64);
}

/// f of x with `axis` moved to `place` (from the end), and with the axis at `result_place` of that moved back.
template <class F>
Tensor along(const Tensor& x, std::int64_t axis, std::int64_t place, std::int64_t result_place, const F& f) {
  return moveaxis(f(moveaxis(x, axis, place)), result_place, axis);
}

}  // namespace

Tensor rfft(const Located& x, std::int64_t axis) {
  const Tensor input = prepared("rfft", x, false, axis);
  return along(input, axis, -1, -2, to_spectrum);
}

Tensor irfft(const Located& y, std::int64_t n, std::int64_t axis) {
  const Tensor input = prepared("irfft", y, true, axis);
  if (n < 1 || n / 2 + 1 != input.shape(axis))
    throw detail::located<std::invalid_argument>("irfft: shape " + to_string(y.shape()) + " has " + std::to_string(input.shape(axis)) + " elements along axis " + std::to_string(axis) +
                                "; " + std::to_string(n) + " real values have a spectrum of " + std::to_string(n < 1 ? 0 : n / 2 + 1));
  return along(input, axis, -2, -1, [n](const Tensor& t) { return to_signal(t, n) / static_cast<double>(n); });
}

Tensor fft(const Located& x, std::int64_t axis) {
  const Tensor input = prepared("fft", x, true, axis);
  return along(input, axis, -2, -2, transform<false>);
}

Tensor ifft(const Located& x, std::int64_t axis) {
  const Tensor input = prepared("ifft", x, true, axis);
  const auto n = static_cast<double>(input.shape(axis));
  return along(input, axis, -2, -2, [n](const Tensor& t) { return transform<true>(t) / n; });
}

}  // namespace xgrad
