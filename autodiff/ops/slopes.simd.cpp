#include <autodiff/kernels/vector.hpp>
#include <autodiff/ops/slope_ops.hpp>
#include <autodiff/ops/special_ops.hpp>

namespace xgrad::detail {

XGRAD_SIMD_KERNELS(LogSlope);
XGRAD_SIMD_KERNELS(Gaussian);
XGRAD_SIMD_KERNELS(ArcTanSlope);
XGRAD_SIMD_KERNELS(ArcSinhSlope);
XGRAD_SIMD_KERNELS(LogAddExpSlope);
XGRAD_SIMD_KERNELS(PowerSlope);
XGRAD_SIMD_KERNELS(HypotSlope);
XGRAD_SIMD_KERNELS(ArcTan2Slope);
XGRAD_SIMD_KERNELS(WholeQuotient<FMod>);
XGRAD_SIMD_KERNELS(WholeQuotient<Remainder>);

}  // namespace xgrad::detail
