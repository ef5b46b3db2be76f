#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace xgrad::test {

/// Checks that `f` throws an exception of type `E` whose message holds all of `parts`.
template <class E, class F>
testing::AssertionResult throws(F f, std::initializer_list<std::string> parts) {
  try {
    f();
  } catch (const E& error) {
    const std::string message = error.what();
    for (const std::string& part : parts)
      if (message.find(part) == message.npos)
        return testing::AssertionFailure() << "the message '" << message << "' does not say '" << part << "'";
    return testing::AssertionSuccess();
  } catch (const std::exception& error) {
    return testing::AssertionFailure() << "threw another type: " << error.what();
  }
  return testing::AssertionFailure() << "did not throw";
}

}  // namespace xgrad::test
