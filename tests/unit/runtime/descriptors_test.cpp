#include "peal/runtime/descriptors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace peal::runtime {
namespace {

class DescriptorsTest : public testing::Test {
 protected:
  DescriptorsTest() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorsTest() override { setrlimit(RLIMIT_NOFILE, &before_); }
  void set_soft(rlim_t soft) const {
    const rlimit files{soft, before_.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  }

  rlimit before_{};
};

TEST_F(DescriptorsTest, TheLastOnesAreNotForClients) {
  ASSERT_GE(before_.rlim_max, 1024U);
  set_soft(1024);
  EXPECT_EQ(client_descriptor_end(), 1024 - 128);
  set_soft(100);
  EXPECT_EQ(client_descriptor_end(), 75) << "of a small limit, a quarter";
}

TEST_F(DescriptorsTest, TheSoftLimitIsRaisedToTheHardOne) {
  set_soft(200);
  EXPECT_EQ(raise_descriptor_limit(), before_.rlim_max);
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(now.rlim_cur, before_.rlim_max);
}

}  // namespace
}  // namespace peal::runtime
