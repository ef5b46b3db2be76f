// Figures of the side-by-side benchmark as a table, as JSON and as a picture.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "workloads.hpp"

namespace bench {

struct Figures {
  Workload workload;
  std::map<std::string, double> seconds;     ///< of a unit, by way: the median over rounds
  std::map<std::string, double> over_xgrad;  ///< a way's time over xgrad's: the median of the rounds' ratios
  double p50 = 0, p99 = 0;                   ///< latencies in seconds, where they were measured
  double peak_over_needed = 0;               ///< memory of a training step
  double speedup = 0;                        ///< of several threads over one, where asked for

  /// How many times the floor's time xgrad takes, and how many times faster than libtorch it is; 0 where unknown.
  double over_floor() const { return over_xgrad.contains("floor") ? 1 / over_xgrad.at("floor") : 0; }
  double over_torch() const { return over_xgrad.contains("libtorch") ? over_xgrad.at("libtorch") : 0; }
  bool meets_floor() const { return workload.floor_bar == 0 || over_floor() <= workload.floor_bar; }
  bool meets_torch() const { return workload.torch_bar == 0 || over_torch() == 0 || over_torch() >= workload.torch_bar; }
  bool meets_bars() const { return meets_floor() && meets_torch(); }
};

struct Machine {
  int threads;
  std::string torch, blas_core, flags;
};

void print_header(std::ostream& stream);
void print_row(std::ostream& stream, const Figures& figures);
/// Both throw std::runtime_error when the file cannot be written.
void write_json(const std::string& path, const Machine& machine, const std::vector<Figures>& all);
void write_svg(const std::string& path, const std::vector<Figures>& all);

}  // namespace bench
