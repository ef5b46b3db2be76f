#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <sstream>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

TEST(ToDot, ShowsOpsShapesAndWhatLeadsWhere) {
  const Tensor w = ones({3, 2}).set_requires_grad(), x = ones({4, 3});
  const std::string dot = to_dot(tanh(matmul(x, w)));
  for (const char* part : {"digraph", "matmul\\n(4, 2) float32", "tanh\\n(4, 2) float32", "leaf\\n(3, 2) float32\", style=filled", "constant\\n(4, 3) float32\", style=dashed"})
    EXPECT_NE(dot.find(part), dot.npos) << part << " in " << dot;
  EXPECT_EQ(std::count(dot.begin(), dot.end(), '>'), 3);
  EXPECT_THROW(to_dot(Tensor()), std::logic_error);
}

TEST(Summary, CountsOpsFlopsAndBytes) {
  const Tensor w = ones({3, 2}).set_requires_grad();
  const Tensor h = matmul(ones({4, 3}), w), y = sum(tanh(h) + tanh(h));
  const RecordingSummary counts = summary(y);
  EXPECT_EQ(counts.ops.at("tanh").count, 2);
  EXPECT_EQ(counts.ops.at("matmul").flops, 2 * 4 * 3 * 2);
  EXPECT_EQ(counts.ops.at("sum").flops, 8);
  EXPECT_EQ(counts.ops.at("add").bytes, 8 * 4);
  EXPECT_EQ(counts.total.count, 5);
  EXPECT_EQ(counts.parameters, 6);
  std::ostringstream text;
  text << counts;
  EXPECT_NE(text.str().find("matmul"), std::string::npos);
}

}  // namespace
