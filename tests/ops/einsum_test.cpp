// einsum against the definition: random subscripts with repeated letters, "...", implicit outputs, extents of 0 and 1, spaces.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tests/catalogue/shape_row.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// A valid call: subscripts and shapes, and the labels of axes, those of "..." as digits from the right.
struct Call {
  std::string subscripts, output;
  std::vector<std::string> labels;
  std::vector<Shape> shapes;
};

class Calls {
 public:
  explicit Calls(std::uint64_t seed) : random_(seed) {}

  Call next() {
    Call call;
    std::map<char, std::int64_t> extents;
    for (const char letter : std::string("abcXY01")) extents[letter] = chance(3) ? 0 : below(3) + 1;
    const int operands = below(10) < 2 ? 1 : below(4) + 1;
    int most_dots = 0;
    std::map<char, int> count;
    for (int i = 0; i < operands; ++i) {
      std::string text, labels;
      const int letters = below(4), dots = chance(30) ? below(3) : -1, at = below(letters + 1);
      most_dots = std::max(most_dots, dots);
      for (int j = 0; j <= letters; ++j) {
        if (j == at && dots >= 0) {
          text += "...";
          for (int dot = dots; dot-- > 0;) labels += static_cast<char>('0' + dot);
        }
        if (j == letters) break;
        const char letter = "abcXY"[below(5)];
        text += letter, labels += letter, ++count[letter];
      }
      // An extent of 1 broadcasts; of a letter given twice both are.
      std::map<char, std::int64_t> own = extents;
      for (auto& [label, extent] : own)
        if (chance(8)) extent = 1;
      Shape shape;
      for (const char label : labels) shape.push_back(own[label]);
      call.subscripts += (i ? "," : "") + text;
      call.labels.push_back(labels);
      call.shapes.push_back(shape);
    }
    std::string dots;
    for (int dot = most_dots; dot-- > 0;) dots += static_cast<char>('0' + dot);
    if (chance(30)) {  // what comes once, in order
      call.output = dots;
      for (const auto& [letter, times] : count)
        if (times == 1) call.output += letter;
    } else {
      std::string letters;
      for (const auto& [letter, times] : count)
        if (chance(50)) letters += letter;
      std::shuffle(letters.begin(), letters.end(), random_);
      const std::size_t at = static_cast<std::size_t>(below(static_cast<int>(letters.size()) + 1));
      if (most_dots == 0 || chance(15)) dots.clear();  // what "..." stands for is summed over too
      call.subscripts += "->" + letters.substr(0, at) + (dots.empty() ? "" : "...") + letters.substr(at);
      call.output = letters.substr(0, at) + dots + letters.substr(at);
    }
    return call;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }

  std::mt19937_64 random_;
};

/// The sum over all labels that are not in the output, term by term.
catalogue::Plain defined(const Call& call, const std::vector<catalogue::Plain>& operands) {
  std::map<char, std::int64_t> extents;
  for (std::size_t i = 0; i < operands.size(); ++i)
    for (std::size_t j = 0; j < call.labels[i].size(); ++j) {
      std::int64_t& extent = extents.try_emplace(call.labels[i][j], 1).first->second;
      if (operands[i].shape[j] != 1) extent = operands[i].shape[j];
    }
  std::string labels = call.output;
  for (const auto& [label, extent] : extents)
    if (call.output.find(label) == std::string::npos) labels += label;
  Shape all, kept;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    all.push_back(extents.at(labels[i]));
    if (i < call.output.size()) kept.push_back(all.back());
  }
  catalogue::Plain result{kept, std::vector<double>(static_cast<std::size_t>(size_of(kept)))};
  catalogue::fill(all, [&](const catalogue::Index& index) {
    double term = 1;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      catalogue::Index at;
      for (std::size_t j = 0; j < call.labels[i].size(); ++j) at.push_back(operands[i].shape[j] == 1 ? 0 : index[labels.find(call.labels[i][j])]);
      term *= catalogue::at(operands[i], at);
    }
    result.values[static_cast<std::size_t>(catalogue::flat_of(catalogue::Index(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(kept.size())), kept))] += term;
    return term;
  });
  return result;
}

TEST(Einsum, OfRandomSubscriptsIsItsDefinition) {
  Calls calls(1);
  std::set<std::string> met;
  for (int round = 0; round < 1500; ++round) {
    const Call call = calls.next();
    met.insert(call.subscripts);
    Generator generator(static_cast<std::uint64_t>(round));
    std::vector<Tensor> inputs;
    std::vector<catalogue::Plain> plain;
    std::string shapes;
    for (const Shape& shape : call.shapes) {
      inputs.push_back(generator.normal(shape, 0, 1, DType::float64).evaluate());
      plain.push_back(catalogue::plain(inputs.back()));
      shapes += " " + to_string(shape);
    }
    SCOPED_TRACE(call.subscripts + " of" + shapes);
    const catalogue::Plain expected = defined(call, plain);
    const Tensor result = einsum(call.subscripts, inputs);
    ASSERT_EQ(result.shape(), expected.shape);
    expect_near(result, expected.values, 1e-11);
    if (round % 10 == 0) {
      EXPECT_TRUE(gradcheck([&](const std::vector<Tensor>& x) { return einsum(call.subscripts, x); }, inputs));
    }
  }
  EXPECT_GT(met.size(), 1000u);
}

TEST(Einsum, TakesSpacesAndUpperCaseFirst) {
  const Tensor x = numbered({2, 3});
  EXPECT_EQ(values(einsum(" i j -> j i ", {x})), values(transpose(x)));
  EXPECT_EQ(values(einsum("aB", {x})), values(transpose(x)));  // as NumPy: B comes before a
  EXPECT_EQ(values(einsum("...", {x})), values(x));
  EXPECT_EQ(einsum("", {Tensor(2.0)}).item(), 2);
}

TEST(Einsum, SumsByMatrixProductsWhereItCan) {
  const Tensor a = ones({2, 3, 4}).set_requires_grad(), b = ones({2, 4, 5}).set_requires_grad(), c = ones({5, 3}).set_requires_grad();
  for (const auto& [subscripts, operands] : std::vector<std::pair<std::string, std::vector<Tensor>>>{
           {"bij,bjk->bik", {a, b}}, {"bij,bjk->ki", {a, b}}, {"bij,bij->", {a, a}}, {"bij,bjk,ki->b", {a, b, c}}, {"bij,ki->bjk", {a, c}}}) {
    const auto ops = summary(einsum(subscripts, operands)).ops;
    EXPECT_TRUE(ops.contains("matmul")) << subscripts;
    EXPECT_FALSE(ops.contains("multiply")) << subscripts;
  }
}

}  // namespace
