// The handle: values in and out, dtypes, printing, leaves.
#define XGRAD_WITH_XT_VIEWS
#define XGRAD_WITH_XT_MATH
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

// ---- from xtensor, lists and numbers ----

TEST(Tensor, ComesFromContainers) {
  const xt::xarray<double> a{{1, 2, 3}, {4, 5, 6}};
  const Tensor x = a;
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(x.dtype(), DType::float64);
  EXPECT_EQ(x.dim(), 2u);
  EXPECT_EQ(x.size(), 6);
  EXPECT_EQ(x.shape(0), 2);
  EXPECT_EQ(x.shape(-1), 3);
  EXPECT_EQ(x.array<double>(), a);
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(x.requires_grad());

  const xt::xtensor<float, 1> b{1, 2};
  EXPECT_EQ(Tensor(b).dtype(), DType::float32);
  const std::vector<double> plain{1, 2, 3};
  EXPECT_EQ(values(Tensor(xt::adapt(plain, {3}))), plain);
}

TEST(Tensor, ComesFromLazyExpressionsAndViews) {
  const xt::xarray<double> a{{1, 2, 3}, {4, 5, 6}}, b{10, 20, 30};
  EXPECT_EQ(values(Tensor(a + b)), (Values{11, 22, 33, 14, 25, 36}));
  EXPECT_EQ(values(Tensor(xt::transpose(a))), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Tensor(xt::transpose(a)).shape(), (Shape{3, 2}));
  EXPECT_EQ(values(Tensor(xt::view(a, xt::all(), xt::range(0, 3, 2)))), (Values{1, 3, 4, 6}));
  EXPECT_EQ(values(Tensor(xt::strided_view(a, {1, xt::ellipsis()}))), (Values{4, 5, 6}));
  EXPECT_EQ(values(Tensor(xt::broadcast(b, {2, 3}))), (Values{10, 20, 30, 10, 20, 30}));
  EXPECT_EQ(values(Tensor(xt::sum(a, {0}))), (Values{5, 7, 9}));
  EXPECT_EQ(values(Tensor(xt::arange<double>(0, 3))), (Values{0, 1, 2}));
  EXPECT_EQ(Tensor(a > 2).dtype(), DType::bool_);
  EXPECT_EQ(values(Tensor(a > 2)), (Values{0, 0, 1, 1, 1, 1}));
}

TEST(Tensor, ComesFromColumnMajorContainers) {
  const xt::xarray<double, xt::layout_type::column_major> a{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(values(Tensor(a)), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values(Tensor(a + 1)), (Values{2, 3, 4, 5, 6, 7}));
  const xt::xtensor<float, 2, xt::layout_type::column_major> b{{1, 2}, {3, 4}};
  EXPECT_EQ(values(Tensor(b)), (Values{1, 2, 3, 4}));
}

template <class T>
void becomes_int64() {
  const xt::xarray<T> a{1, 2, 3};
  EXPECT_EQ(Tensor(a).dtype(), DType::int64);
  EXPECT_EQ(values(Tensor(a)), (Values{1, 2, 3}));
  EXPECT_EQ(Tensor(T(7)).dtype(), DType::int64);
  EXPECT_EQ(Tensor(T(7)).item<T>(), T(7));
}

TEST(Tensor, IntegersOfAnyWidthBecomeInt64) {
  becomes_int64<std::int8_t>();
  becomes_int64<std::uint8_t>();
  becomes_int64<std::int16_t>();
  becomes_int64<std::uint16_t>();
  becomes_int64<std::int32_t>();
  becomes_int64<std::uint32_t>();
  becomes_int64<std::int64_t>();
  becomes_int64<std::uint64_t>();
  EXPECT_EQ(Tensor(std::int8_t{-1}).item<int>(), -1);
  EXPECT_EQ(Tensor(std::numeric_limits<std::int64_t>::min()).item<std::int64_t>(),
            std::numeric_limits<std::int64_t>::min());
}

TEST(Tensor, ComesFromLists) {
  EXPECT_EQ(Tensor({1.0, 2.0}).shape(), Shape{2});
  EXPECT_EQ((Tensor{1.5}).shape(), Shape{1});
  EXPECT_EQ((Tensor{1, 2, 3}).dtype(), DType::int64);
  EXPECT_EQ((Tensor{1.0f, 2.0f}).dtype(), DType::float32);
  EXPECT_EQ((Tensor{true, false}).dtype(), DType::bool_);
  EXPECT_EQ((Tensor{{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}).shape(), (Shape{3, 2}));
  EXPECT_EQ(values(Tensor{{true, false}, {false, true}}), (Values{1, 0, 0, 1}));
  const Tensor x{{{1, 2}, {3, 4}, {5, 6}}};
  EXPECT_EQ(x.shape(), (Shape{1, 3, 2}));
  EXPECT_EQ(values(x), (Values{1, 2, 3, 4, 5, 6}));
}

TEST(Tensor, ArgumentsAreWhatATensorIsMadeOf) {
  EXPECT_EQ(xgrad::abs({-1.0, 2.0}).shape(), (Shape{2}));
  EXPECT_EQ(xgrad::abs({{-1.0, 2.0}}).shape(), (Shape{1, 2}));
  EXPECT_EQ(xgrad::abs({{{-1.0, 2.0}, {3.0, 4.0}}}).shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(values(reshape({{{1.0, 2.0}}, {{3.0, 4.0}}}, {4})), (Values{1, 2, 3, 4}));
  EXPECT_EQ(values(flip(xt::xarray<double>{1, 2})), (Values{2, 1}));
  EXPECT_EQ(values(broadcast_to(1.0, {2})), (Values{1, 1}));
}

TEST(Tensor, RaggedListsAreRefused) {
  EXPECT_EQ(message_of<std::invalid_argument>([] {
              Tensor{{1.0, 2.0}, {3.0}};
            }),
            "Tensor: nested lists must have equal lengths");
  EXPECT_THROW((Tensor{{{1, 2}, {3, 4}}, {{5, 6}}}), std::invalid_argument);
  EXPECT_THROW((Tensor{{{1, 2}, {3, 4}}, {{5, 6}, {7}}}), std::invalid_argument);
}

TEST(Tensor, ComesFromNumbers) {
  EXPECT_EQ(Tensor(2.5).dtype(), DType::float64);
  EXPECT_EQ(Tensor(2.5f).dtype(), DType::float32);
  EXPECT_EQ(Tensor(2).dtype(), DType::int64);
  EXPECT_EQ(Tensor(true).dtype(), DType::bool_);
  EXPECT_EQ(Tensor(2.5).shape(), Shape{});
  EXPECT_EQ(Tensor(2.5).size(), 1);
  EXPECT_EQ(Tensor(2.5).item(), 2.5);
}

TEST(Tensor, EmptyArraysStayEmpty) {
  const Tensor x = xt::xarray<double>::from_shape({2, 0, 3});
  EXPECT_EQ(x.shape(), (Shape{2, 0, 3}));
  EXPECT_EQ(x.size(), 0);
  EXPECT_EQ(x.array<double>().size(), 0u);
}

TEST(Tensor, HoldsACopyOfWhatItCameFrom) {
  xt::xarray<double> a{1, 2};
  const Tensor x = a;
  a(0) = 100;
  EXPECT_EQ(values(x), (Values{1, 2}));
}

// ---- to xtensor ----

TEST(Tensor, AnArrayShowsTheValuesWithoutACopy) {
  const Tensor x{{1.0, 2.0}, {3.0, 4.0}};
  const auto a = x.array<double>(), b = x.array<double>();
  EXPECT_EQ(a.data(), b.data());
  EXPECT_EQ(a.data(), x.data<double>());
  EXPECT_EQ(a(1, 0), 3);
  EXPECT_EQ(a.shape(), (std::vector<std::size_t>{2, 2}));
  EXPECT_EQ(xt::xarray<double>(a + 1)(1, 1), 5);
}

TEST(Tensor, AnArrayOutlivesItsTensor) {
  const auto a = (Tensor{1.0, 2.0} * 3).array<double>();
  const auto copy = a;
  for (int i = 0; i < 10; ++i) Tensor{-1.0, -1.0}.evaluate();  // would get the memory
  EXPECT_EQ(a(0), 3);
  EXPECT_EQ(copy(1), 6);
}

TEST(Tensor, AnArrayOfAViewIsRowMajor) {
  const Tensor x{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
  const auto a = transpose(x).array<double>();
  EXPECT_EQ(Values(a.storage().begin(), a.storage().end()), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(a(2, 1), 6);
}

TEST(Tensor, AnArrayOfAScalarHasNoAxes) {
  const auto a = Tensor(2.5).array<double>();
  EXPECT_EQ(a.dimension(), 0u);
  EXPECT_EQ(a(), 2.5);
}

TEST(Tensor, ArraysOfEveryDtype) {
  EXPECT_EQ(Tensor({1.0f, 2.0f}).array<float>()(1), 2.0f);
  EXPECT_EQ(Tensor({1, 2}).array<std::int64_t>()(1), 2);
  EXPECT_EQ(Tensor({false, true}).array<bool>()(1), true);
}

TEST(Tensor, AnArrayOfAnotherDtypeIsRefused) {
  const Tensor x = ones({2, 3});
  EXPECT_EQ(message_of<std::invalid_argument>([&] { x.array<double>(); }),
            "array: the tensor of shape (2, 3) is float32, not float64; convert it with to(DType::float64)");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { x.array<bool>(); }),
            "array: the tensor of shape (2, 3) is float32, not bool; convert it with to(DType::bool_)");
  EXPECT_THROW(x.data<std::int64_t>(), std::invalid_argument);
}

TEST(Tensor, ItemsOfEveryDtypeConvertToAnyNumber) {
  for (const Tensor& x : {Tensor(3.0), Tensor(3.0f), Tensor(3), Tensor{{3.0}}}) {
    EXPECT_EQ(x.item(), 3.0);
    EXPECT_EQ(x.item<float>(), 3.0f);
    EXPECT_EQ(x.item<int>(), 3);
    EXPECT_EQ(x.item<bool>(), true);
  }
  EXPECT_EQ(Tensor(true).item<int>(), 1);
  EXPECT_EQ(Tensor(false).item(), 0.0);
  EXPECT_EQ(Tensor(-2.75).item<int>(), -2);
  const std::int64_t large = (std::int64_t{1} << 53) + 1;  // no double
  EXPECT_EQ(Tensor(large).item<std::int64_t>(), large);
  EXPECT_EQ(message_of<std::invalid_argument>([] {
              ones({2, 1}).item();
            }),
            "item: the tensor of shape (2, 1) has not one element");
  EXPECT_THROW(zeros({0}).item<int>(), std::invalid_argument);
}

// ---- dtypes ----

TEST(Tensor, ToConvertsValues) {
  const Tensor x{-1.75, 0.0, 2.5};
  EXPECT_EQ(values(x.to(DType::int64)), (Values{-1, 0, 2}));
  EXPECT_EQ(values(x.to(DType::bool_)), (Values{1, 0, 1}));
  EXPECT_EQ(x.to(DType::float32).dtype(), DType::float32);
  EXPECT_EQ(values(Tensor{true, false}.to(DType::float64)), (Values{1, 0}));
  EXPECT_EQ(values(Tensor{0.1}.to(DType::float32)), (Values{static_cast<double>(0.1f)}));
  EXPECT_TRUE(x.to(DType::float64).is(x));
}

TEST(Tensor, ToInt64OfWhatNoneHoldsGivesTheSmallest) {
  constexpr auto smallest = std::numeric_limits<std::int64_t>::min();
  for (const double value : {nan, infinity, -infinity, 1e19, -1e19}) {
    EXPECT_EQ(Tensor(value).to(DType::int64).item<std::int64_t>(), smallest) << value;
    EXPECT_EQ(Tensor(static_cast<float>(value)).to(DType::int64).item<std::int64_t>(), smallest) << value;
  }
  EXPECT_EQ(Tensor(-0x1p63).to(DType::int64).item<std::int64_t>(), smallest);
  EXPECT_EQ(Tensor(0x1p62).to(DType::int64).item<std::int64_t>(), std::int64_t{1} << 62);
}

TEST(Tensor, DtypesPromoteAsNumPys) {
  constexpr DType b = DType::bool_, i = DType::int64, f = DType::float32, d = DType::float64;
  const DType all[] = {b, i, f, d};
  const DType expected[4][4] = {{b, i, f, d}, {i, i, d, d}, {f, d, f, d}, {d, d, d, d}};
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 4; ++column) {
      EXPECT_EQ(promote(all[row], all[column]), expected[row][column]);
      EXPECT_EQ((ones({2}, all[row]) + ones({2}, all[column])).dtype(), expected[row][column]);
      EXPECT_EQ(concatenate({ones({2}, all[row]), ones({2}, all[column])}).dtype(), expected[row][column]);
    }
}

TEST(Tensor, NumbersTakeTheDtypeOfTheTensorBesideThem) {
  const Tensor f = ones({2}), d = ones({2}, DType::float64), i = ones({2}, DType::int64), b = ones({2}, DType::bool_);
  EXPECT_EQ((f * 2.5).dtype(), DType::float32);
  EXPECT_EQ((2.5 * f).dtype(), DType::float32);
  EXPECT_EQ((f + 1).dtype(), DType::float32);
  EXPECT_EQ((f + true).dtype(), DType::float32);
  EXPECT_EQ((d + 1.0f).dtype(), DType::float64);
  EXPECT_EQ((i + 1).dtype(), DType::int64);
  EXPECT_EQ((i + 1.5).dtype(), DType::float64);
  EXPECT_EQ((i + 1.5f).dtype(), DType::float64);
  EXPECT_EQ((b + 1).dtype(), DType::int64);
  EXPECT_EQ((b + 1.0f).dtype(), DType::float64);
  EXPECT_EQ((b + true).dtype(), DType::bool_);
  EXPECT_EQ((i / 2).dtype(), DType::float64);
  EXPECT_EQ((f / 2).dtype(), DType::float32);
  EXPECT_EQ(where(b, 1, 2.0).dtype(), DType::float64);
  EXPECT_EQ(where(b, f, 2.0).dtype(), DType::float32);
  EXPECT_EQ(values(f * 0.1), Values(2, 0.1f));
  EXPECT_EQ((i + ((std::int64_t{1} << 53) + 1)).slice(0).item<std::int64_t>(), (std::int64_t{1} << 53) + 2);
  // A tensor of no axes is no number.
  EXPECT_EQ((f * Tensor(2.5)).dtype(), DType::float64);
}

TEST(Tensor, NumbersThatComeAgainAreTheSameValues) {
  const Tensor x{1.0, 2.0};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(values(x + 0.0 + 1e-3), (Values{1.001, 2.001}));
    EXPECT_TRUE(std::signbit(values(Tensor{0.0} * -0.0)[0]));
    EXPECT_FALSE(std::signbit(values(Tensor{0.0} * 0.0)[0]));
    EXPECT_TRUE(std::isnan(values(x + nan)[0]));
  }
}

TEST(Tensor, NamesOfDtypesAreNumPys) {
  EXPECT_EQ(name_of(DType::bool_), "bool");
  EXPECT_EQ(name_of(DType::int64), "int64");
  EXPECT_EQ(name_of(DType::float32), "float32");
  EXPECT_EQ(name_of(DType::float64), "float64");
}

// ---- printing ----

TEST(Tensor, PrintsValuesShapeAndDtype) {
  EXPECT_EQ(to_string(Tensor(1.5)), "tensor(1.5, shape=(), dtype=float64)");
  EXPECT_EQ(to_string(Tensor(3)), "tensor(3, shape=(), dtype=int64)");
  EXPECT_EQ(to_string(Tensor(true)), "tensor(true, shape=(), dtype=bool)");
  EXPECT_EQ(to_string(Tensor{1, -20}), "tensor([  1, -20], shape=(2,), dtype=int64)");
  EXPECT_EQ(to_string(Tensor{1.0, 2.5}), "tensor([ 1. ,  2.5], shape=(2,), dtype=float64)");
  EXPECT_EQ(to_string(Tensor{true, false}), "tensor([ true, false], shape=(2,), dtype=bool)");
  EXPECT_EQ(to_string(Tensor{{1.0f, 2.0f}, {3.25f, 4.0f}}),
            "tensor([[ 1.  ,  2.  ],\n"
            "        [ 3.25,  4.  ]], shape=(2, 2), dtype=float32)");
  EXPECT_EQ(to_string(Tensor{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}),
            "tensor([[[1, 2],\n"
            "         [3, 4]],\n"
            "        [[5, 6],\n"
            "         [7, 8]]], shape=(2, 2, 2), dtype=int64)");
  EXPECT_EQ(to_string(zeros({0, 3})), "tensor([], shape=(0, 3), dtype=float32)");
  EXPECT_EQ(to_string(Tensor(1.5).set_requires_grad()), "tensor(1.5, shape=(), dtype=float64, requires_grad=true)");
  EXPECT_EQ(to_string(Tensor()), "tensor(undefined)");
}

TEST(Tensor, PrintingComputesTheValueAndShortensTheLong) {
  std::ostringstream stream;
  stream << Tensor{1.0, 2.0} * 2;
  EXPECT_EQ(stream.str(), "tensor([ 2.,  4.], shape=(2,), dtype=float64)");
  const std::string text = to_string(arange(0, 100000));
  EXPECT_LT(text.size(), 200u);
  EXPECT_NE(text.find("..."), std::string::npos);
  EXPECT_NE(text.find("shape=(100000,)"), std::string::npos);
  EXPECT_NE(to_string(Tensor{nan, 1.0}).find("nan"), std::string::npos);
}

TEST(Tensor, ShapesPrintAsNumPys) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{4}), "(4,)");
  EXPECT_EQ(to_string(Shape{2, 3}), "(2, 3)");
}

}  // namespace
