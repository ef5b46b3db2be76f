// The catalogue of ops: one row for each public function of the engine, or for each way of calling it that takes another
// path. It drives the tests of values, gradients, second order, broadcasting, dtypes and edges, and knows no test library.
#pragma once

#include <autodiff/autodiff.hpp>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace xgrad::catalogue {

/// An array as plain as can be, row-major, for references.
struct Plain {
  Shape shape;
  std::vector<double> values;
};

/// What an input is drawn from.
struct Domain {
  double low = -2, high = 2;
  std::vector<double> kinks = {};  ///< points that draws keep away from, where the op has no derivative
};

/// Whose value and gradient an edge has. `everyone`: NumPy, PyTorch and JAX agree, as far as they know the function.
enum class Convention : std::uint8_t { everyone, numpy, scipy, pytorch, jax, ours };
using enum Convention;

/// A point with a convention of its own, and what is expected there.
struct Edge {
  std::string what;
  Convention convention;
  std::vector<Plain> inputs;
  Plain value;
  /// Of the output with respect to each input; empty values or NaN first: not checked.
  std::vector<std::vector<double>> gradients = {};
  std::vector<double> cotangent = {};  ///< of the output; ones unless given
  std::vector<double> second = {};     ///< the gradient of the sum of the first input's gradient
  TensorFunction apply = {};           ///< the row's unless given
  std::string error = {};              ///< what the message of a std::domain_error holds, where there is no value
};

struct Row {
  std::string name;      ///< of the row, letters and digits
  std::string function;  ///< the public function it covers
  TensorFunction apply;
  std::vector<Domain> domains;              ///< of the floating inputs
  std::vector<std::vector<Shape>> shapes;   ///< sets of input shapes; the first is the typical one
  std::function<Plain(const std::vector<Plain>&)> reference;
  int orders = 2;           ///< of derivatives to check; 0: the result carries no gradient
  bool elementwise = false;  ///< inputs broadcast against each other
  double ulps = 4;           ///< bound of a float32 result against the reference, in units of the last place of the largest term
  std::vector<Edge> edges = {};
};

/// Its name, for test reports.
inline void PrintTo(const Row& row, std::ostream* stream) { *stream << row.name; }

/// Every row.
const std::vector<Row>& rows();

/// How far an elementwise function and its first derivatives are from the exact ones, over their whole domains and in both floating dtypes.
struct Accuracy {
  double value = 0, derivative = 0;  ///< in units of the last place of the result, those of subnormal results being the smallest number
  std::string note = {};             ///< where that is meant otherwise
};

/// By name of the function.
const std::map<std::string, Accuracy>& accuracies();

/// Inputs of a row drawn from its domains; the same seed draws the same.
std::vector<Tensor> draw(const Row& row, const std::vector<Shape>& shapes, std::uint64_t seed, DType dtype = DType::float64);

Plain plain(const Tensor& tensor);
Tensor tensor(const Plain& values, DType dtype = DType::float64);

// The families, each in a file of its own.
std::vector<Row> elementwise_rows();
std::vector<Row> special_rows();
std::vector<Row> reduction_rows();
std::vector<Row> statistics_rows();
std::vector<Row> shape_rows();
std::vector<Row> rearrange_rows();
std::vector<Row> product_rows();
std::vector<Row> linear_algebra_rows();
std::vector<Row> convolution_rows();
std::vector<Row> fft_rows();
std::vector<Row> index_rows();
std::vector<Row> update_rows();

}  // namespace xgrad::catalogue
