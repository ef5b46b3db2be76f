#include <autodiff/kernels/vector.hpp>
#include <autodiff/ops/special_ops.hpp>

namespace xgrad::detail {

XGRAD_SIMD_KERNELS(Erfc);
XGRAD_SIMD_KERNELS(LGamma);
XGRAD_SIMD_KERNELS(Digamma);
XGRAD_SIMD_KERNELS(Polygamma);
XGRAD_SIMD_KERNELS(Softplus);
XGRAD_SIMD_KERNELS(LogAddExp);
XGRAD_SIMD_KERNELS(XLogY);
XGRAD_SIMD_KERNELS(FMod);
XGRAD_SIMD_KERNELS(Remainder);
XGRAD_SIMD_KERNELS(Floor);
XGRAD_SIMD_KERNELS(Ceil);
XGRAD_SIMD_KERNELS(Round);
XGRAD_SIMD_KERNELS(Trunc);

}  // namespace xgrad::detail
