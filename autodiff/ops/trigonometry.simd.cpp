#include <autodiff/kernels/vector.hpp>
#include <autodiff/ops/trigonometry_ops.hpp>

namespace xgrad::detail {

XGRAD_SIMD_KERNELS(Tan);
XGRAD_SIMD_KERNELS(ArcSin);
XGRAD_SIMD_KERNELS(ArcCos);
XGRAD_SIMD_KERNELS(ArcTan);
XGRAD_SIMD_KERNELS(Sinh);
XGRAD_SIMD_KERNELS(Cosh);
XGRAD_SIMD_KERNELS(ArcSinh);
XGRAD_SIMD_KERNELS(ArcCosh);
XGRAD_SIMD_KERNELS(ArcTanh);
XGRAD_SIMD_KERNELS(Exp2);
XGRAD_SIMD_KERNELS(Log2);
XGRAD_SIMD_KERNELS(Log10);
XGRAD_SIMD_KERNELS(Cbrt);
XGRAD_SIMD_KERNELS(ArcTan2);
XGRAD_SIMD_KERNELS(Hypot);

}  // namespace xgrad::detail
