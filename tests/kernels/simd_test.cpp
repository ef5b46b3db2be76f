// Which kernels are run.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <cstdlib>
#include <tests/support/throws.hpp>

using namespace xgrad;
using xgrad::test::throws;

namespace {

TEST(Simd, TheNameInUseIsTheOneAskedForOrTheBest) {
  const char* wanted = std::getenv("XGRAD_SIMD");
  EXPECT_EQ(detail::instruction_set(), detail::choose_instruction_set(wanted ? wanted : ""));
  EXPECT_EQ(detail::instruction_set(), detail::choose_instruction_set(simd_name()));
  if (wanted && *wanted) {
    EXPECT_EQ(simd_name(), wanted);
  }
}

TEST(Simd, TheBestIsAtLeastAsGoodAsAnyThatCanBeChosen) {
  const auto best = detail::choose_instruction_set("");
  for (const char* name : {"sse2", "avx2", "avx512"}) {
    try {
      EXPECT_LE(detail::choose_instruction_set(name), best) << name;
    } catch (const std::invalid_argument&) {  // it cannot
    }
  }
}

TEST(Simd, NamesThatCannotBeHadAreRefusedWithThoseThatCan) {
  EXPECT_TRUE(throws<std::invalid_argument>([] { detail::choose_instruction_set("avx9"); },
                                            {"XGRAD_SIMD is \"avx9\"", "this build has no kernels for", std::string(simd_name())}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { detail::choose_instruction_set("AVX2"); }, {"\"AVX2\""}));
}

// Each computation says so; a program that catches it goes on.
void compute_and_exit() {
  const auto refused = [](auto f) { return static_cast<bool>(throws<std::invalid_argument>(f, {"XGRAD_SIMD is \"nonsense\""})); };
  setenv("XGRAD_SIMD", "nonsense", 1);
  const Tensor x{1.0, 2.0};
  const bool name = refused([] { simd_name(); }), elementwise = refused([&] { (x + 1).evaluate(); });
  const bool along_axis = refused([&] { softmax(x).evaluate(); }), reduction = refused([&] { max(x).item(); });
  std::exit(name && elementwise && along_axis && reduction ? 42 : 1);
}

TEST(SimdDeathTest, AnEnvironmentThatAsksForWhatIsNotThereIsAnErrorOfEveryComputation) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(compute_and_exit(), testing::ExitedWithCode(42), "");
}

}  // namespace
