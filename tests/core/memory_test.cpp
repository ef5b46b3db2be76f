// How much memory the pool keeps for the next value.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

class Memory : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "under AddressSanitizer there is no pool to count";
#endif
    release_cached_memory();
  }
  void TearDown() override {
    set_cached_memory_limit({});
    release_cached_memory();
  }
  /// Memory that is held at once and let go of; nothing is written to it.
  static void use(std::size_t count, std::size_t bytes) {
    std::vector<detail::Ref<detail::Buffer>> held;
    for (std::size_t i = 0; i < count; ++i) held.push_back(detail::Buffer::allocate(bytes));
  }
};

TEST_F(Memory, WhatWasInUseAtOnceIsKeptBeyondOneGibibyte) {
  use(12, 256 * mib);
  EXPECT_EQ(memory_statistics().cached, 12 * 256 * mib);
  const std::size_t before = memory_statistics().system_allocations;
  use(12, 256 * mib);
  EXPECT_EQ(memory_statistics().system_allocations, before);
}

TEST_F(Memory, ALimitBoundsWhatIsKept) {
  set_cached_memory_limit(64 * mib);
  use(4, 32 * mib);
  EXPECT_EQ(memory_statistics().cached, 64 * mib);
  set_cached_memory_limit(mib);
  EXPECT_LE(memory_statistics().cached, mib);
  set_cached_memory_limit(0);
  use(1, mib);
  EXPECT_EQ(memory_statistics().cached, 0u);
}

TEST_F(Memory, WithoutALimitOneGibibyteIsKept) {
  set_cached_memory_limit({});
  use(4, 32 * mib);
  EXPECT_EQ(memory_statistics().cached, 128 * mib);
  release_cached_memory();
  EXPECT_EQ(memory_statistics().cached, 0u);
}

}  // namespace
