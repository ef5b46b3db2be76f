#include <atomic>
#include <autodiff/evaluate/profile.hpp>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace xgrad::detail {
namespace {

int thread_number() {
  static std::atomic<int> count{0};
  thread_local const int number = ++count;
  return number;
}

}  // namespace

double flops_of(const Op& op, std::span<const Shape* const> inputs, const Shape& output) {
  const auto size = static_cast<double>(size_of(output));
  if (op.kind() == Op::Kind::view) return 0;
  if (op.kind() == Op::Kind::elementwise) return size;
  if (op.name() == "matmul") return 2 * size * static_cast<double>(inputs[0]->back());
  return inputs.empty() ? size : std::max(size, static_cast<double>(size_of(*inputs[0])));
}

struct Profile::Trace {
  std::mutex mutex;
  std::ofstream file;
  Clock::time_point start = Clock::now();

  double microseconds(Clock::time_point at) const { return std::chrono::duration<double, std::micro>(at - start).count(); }
  void write(nlohmann::ordered_json event, Clock::time_point begin, Clock::time_point end) {
    event["ph"] = "X";
    event["pid"] = 1;
    event["tid"] = thread_number();
    event["ts"] = microseconds(begin);
    event["dur"] = std::chrono::duration<double, std::micro>(end - begin).count();
    const std::scoped_lock lock(mutex);
    file << ",\n" << event.dump();
  }
};

Profile* Profile::active() {
  static const std::unique_ptr<Profile> profile = [] {
    const char* path = std::getenv("XGRAD_PROFILE");
    return path && *path ? std::make_unique<Profile>(path) : nullptr;
  }();
  return profile.get();
}

Profile::Profile(const std::string& path) : trace_(std::make_unique<Trace>()) {
  trace_->file.open(path);
  trace_->file << R"([{"name": "process_name", "ph": "M", "pid": 1, "args": {"name": "xgrad"}})" << std::flush;
  if (!trace_->file) throw std::runtime_error("XGRAD_PROFILE: cannot write " + path);
}

Profile::~Profile() { trace_->file << "\n]\n"; }

void Profile::add(const StepProfile& step, Clock::time_point begin, Clock::time_point end) {
  const double nanoseconds = std::chrono::duration<double, std::nano>(end - begin).count();
  trace_->write({{"name", step.name},
                 {"cat", "step"},
                 {"args",
                  {{"shape", step.shape},
                   {"flops", step.flops},
                   {"bytes", step.bytes},
                   {"GFLOP/s", nanoseconds > 0 ? step.flops / nanoseconds : 0},
                   {"GB/s", nanoseconds > 0 ? step.bytes / nanoseconds : 0}}}},
                begin, end);
}

void Profile::add(const char* name, std::size_t steps, Clock::time_point begin, Clock::time_point end) {
  trace_->write({{"name", name}, {"cat", "evaluation"}, {"args", {{"steps", steps}}}}, begin, end);
}

}  // namespace xgrad::detail
