// Checks of backward passes: what an op computed in f32 against central differences of a reference in double.
#pragma once

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <QString>

#include "kernels/base/tensor_view.h"
#include "tests/kernels/op_test.h"

namespace tandem::test {

using Vector = std::vector<double>;

/// An input of an op with its gradient. Matrices have padded rows, so that strides are honoured.
class Operand {
 public:
  enum class Role { Activation, Parameter };  // gradient is written, or added to

  Operand(std::string name, Shape shape, Role role, std::uint32_t seed, float scale = 1.0F)
      : name_(std::move(name)),
        shape_(shape),
        role_(role),
        value_(make(shape, role, seed, scale)),
        gradient_(make(shape, role, seed, scale)) {
    reset();
  }

  TensorView value() { return value_.view(); }
  TensorView gradient() { return gradient_.view(); }
  const std::string& name() const { return name_; }
  Role role() const { return role_; }

  Vector values() { return collect(value()); }
  Vector gradients() { return collect(gradient()); }

  /// Activations' gradients become NaN, so that an element left out shows; parameters' become 0.
  void reset() {
    const float start = role_ == Role::Activation ? std::nanf("") : 0.0F;
    std::fill(gradient_.data().begin(), gradient_.data().end(), start);
  }

 private:
  static Array make(Shape shape, Role role, std::uint32_t seed, float scale) {
    if (shape.rank() == 2 && role == Role::Activation)
      return Array::padded(shape[0], shape[1], 1 + static_cast<std::int64_t>(seed % 3), seed, scale);
    return Array::random(shape, seed, scale);
  }
  static Vector collect(const TensorView& view) {
    Vector values;
    const std::int64_t cols = view.extent(-1);
    const std::int64_t stride = view.rank() < 2 ? cols : view.stride(-2);
    for (std::int64_t i = 0; i < view.elements(); ++i)
      values.push_back(static_cast<double>(view.f32()[i / cols * stride + i % cols]));
    return values;
  }

  std::string name_;
  Shape shape_;
  Role role_;
  Array value_, gradient_;
};

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Empty if, for every operand, the gradient that `backward` leaves agrees with central differences of
/// `loss` (of the operands' values, in double) along random directions, to `tolerance` of the gradient's
/// length; and if calling it again writes activations' gradients anew and doubles parameters'.
inline QString gradient_error(std::vector<Operand*> operands, const std::function<void()>& backward,
                              const std::function<double(const std::vector<Vector>&)>& loss,
                              double tolerance = 5e-5) {
  std::vector<Vector> values;
  std::vector<Vector> gradients;
  for (Operand* operand : operands) operand->reset();
  backward();
  for (Operand* operand : operands) {
    values.push_back(operand->values());
    gradients.push_back(operand->gradients());
  }
  backward();
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const double calls = operands[i]->role() == Operand::Role::Parameter ? 2 : 1;
    const Vector again = operands[i]->gradients();
    const double length = std::sqrt(dot(gradients[i], gradients[i]));
    for (std::size_t e = 0; e < again.size(); ++e)
      if (!(std::abs(again[e] - calls * gradients[i][e]) <= 1e-6 * (length + 1e-6)))
        return QString("%1: called twice, element %2 is %3 after %4")
            .arg(operands[i]->name().c_str())
            .arg(e)
            .arg(again[e])
            .arg(gradients[i][e]);
  }
  constexpr double kStep = 1e-5;
  std::mt19937 generator(1);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    for (int direction = 0; direction < 3; ++direction) {
      Vector along(values[i].size());
      for (double& a : along) a = normal(generator);
      std::vector<Vector> moved = values;
      for (std::size_t e = 0; e < along.size(); ++e) moved[i][e] = values[i][e] + kStep * along[e];
      const double ahead = loss(moved);
      for (std::size_t e = 0; e < along.size(); ++e) moved[i][e] = values[i][e] - kStep * along[e];
      const double numeric = (ahead - loss(moved)) / (2 * kStep);
      const double analytic = dot(gradients[i], along);
      const double scale = std::sqrt(dot(gradients[i], gradients[i])) + 1e-4;
      if (!(std::abs(numeric - analytic) <= tolerance * scale))
        return QString("%1: derivative %2, by differences %3 (gradient's length %4)")
            .arg(operands[i]->name().c_str())
            .arg(analytic)
            .arg(numeric)
            .arg(scale);
    }
  }
  return {};
}

}  // namespace tandem::test
