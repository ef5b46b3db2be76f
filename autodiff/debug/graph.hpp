// A recording, looked at: as a picture, and as figures. Only what is still recorded is seen: values that no gradient passes through
// let go of what they were computed from, and so does a backward pass.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad {

namespace detail {
struct Node;
/// Everything that is recorded up to a tensor, in order of recording. Throws std::logic_error naming `op` for an undefined tensor.
std::vector<const Node*> recorded(std::string_view op, const Tensor& tensor);
}  // namespace detail

/// The recording that leads to a tensor in Graphviz's language: `dot -Tsvg`. Ops are boxes with name, shape and dtype; leaves that
/// require gradients are filled, constants are dashed.
std::string to_dot(const Tensor& tensor);

/// What a recording holds.
struct RecordingSummary {
  struct Entry {
    std::int64_t count = 0;
    double flops = 0;  ///< an element of an elementwise op or a term of a sum counts as one; 2nmk of a product
    double bytes = 0;  ///< of results
  };
  std::map<std::string, Entry> ops;  ///< by name
  Entry total;
  std::int64_t parameters = 0;       ///< elements of leaves that require gradients
};
RecordingSummary summary(const Tensor& tensor);
/// As a table.
std::ostream& operator<<(std::ostream& stream, const RecordingSummary& summary);

}  // namespace xgrad
