// The catalogue of ops: one row for each public function of the engine, or for each way of calling it that takes another
// path. It drives the tests of values, gradients, second order, broadcasting, dtypes and edges, and knows no test library.
#pragma once

#include <autodiff/autodiff.hpp>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace xgrad::catalogue {

/// An array as plain as can be, row-major, for references.
struct Plain {
  Shape shape;
  std::vector<double> values;
};

/// What an input is drawn from: evenly between the ends unless said otherwise.
struct Domain {
  double low = -2, high = 2;
  std::vector<double> kinks = {};         ///< points that draws keep away from, where the op has no derivative
  std::optional<double> lattice = {};     ///< only multiples of a half plus this: inputs meet often, or never
  bool every_magnitude = false;           ///< as many draws between 1e-9 and 1e-8 as between 1 and 10; for positive ends
};

/// A point with a convention of its own, and what is expected there.
struct Edge {
  std::string what;
  std::vector<Plain> inputs;
  Plain value;
  /// Of the sum of the output, with respect to each input; empty values: not checked.
  std::vector<std::vector<double>> gradients = {};
};

using Reference = std::function<Plain(const std::vector<Plain>&)>;

struct Row {
  std::string name;      ///< of the row, letters and digits
  std::string function;  ///< the public function it covers
  TensorFunction apply;
  std::vector<Domain> domains;              ///< of the floating inputs
  std::vector<std::vector<Shape>> shapes;   ///< sets of input shapes; the first is the typical one
  Reference reference;
  int orders = 2;             ///< of derivatives that differences can check
  bool differentiable = true;  ///< false: the result carries no gradient
  bool elementwise = false;    ///< inputs broadcast against each other
  double ulps = 4;             ///< bound of a float32 result against the reference, in units of the last place of the largest term
  std::vector<Edge> edges = {};
  std::optional<DType> of_int64 = DType::float64;  ///< dtype of the result of int64 inputs; none: they are refused
  std::optional<DType> of_bool = DType::float64;   ///< as above, of bool inputs
  GradcheckOptions differences = {};
};

/// Its name, for test reports.
inline void PrintTo(const Row& row, std::ostream* stream) { *stream << row.name; }

/// Every row.
const std::vector<Row>& rows();
/// Throws std::out_of_range when there is none.
const Row& row_named(const std::string& name);

/// Inputs of a row drawn from its domains; the same seed draws the same, in every floating dtype the same numbers. int64
/// draws are the whole numbers of the domain from -3 to 3, bool draws are 0 and 1 whatever the domain.
std::vector<Tensor> draw(const Row& row, const std::vector<Shape>& shapes, std::uint64_t seed, DType dtype = DType::float64);

Plain plain(const Tensor& tensor);
std::vector<Plain> plain(const std::vector<Tensor>& tensors);
Tensor tensor(const Plain& values, DType dtype = DType::float64);

// The families, each in a file of its own.
std::vector<Row> elementwise_rows();
std::vector<Row> reduction_rows();
std::vector<Row> shape_rows();
std::vector<Row> linalg_rows();
std::vector<Row> index_rows();

// For writing references.
using Index = std::vector<std::int64_t>;
/// The array of `shape` whose element at an index is `f(index)`.
Plain fill(const Shape& shape, const std::function<double(const Index&)>& f);
double at(const Plain& x, const Index& index);
/// The element that broadcasting puts at an index of a larger shape.
double broadcast_at(const Plain& x, const Index& index);
/// A row for an op that rearranges. That is linear, so a square behind it gives derivatives of second order something to find.
Row squared(std::string name, std::string function, TensorFunction apply, std::vector<std::vector<Shape>> shapes, Reference reference);

}  // namespace xgrad::catalogue
