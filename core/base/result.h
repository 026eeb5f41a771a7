// Result<T>: a value or an Error, for everything the outside world can cause (files, settings, user input).
// Bugs use TANDEM_CHECK (kernels/base/check.h) instead.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "kernels/base/check.h"

namespace tandem {

enum class ErrorCode {
  NotFound,         // a file, tensor, model or session that is not there
  BadFormat,        // bytes or text that are not what the format says
  Mismatch,         // two things that should agree do not (a shape, a vocabulary)
  Unsupported,      // valid, but not something Tandem handles
  InvalidArgument,  // a setting outside its range
  OutOfRange,       // a size that cannot fit (memory, context, k > n)
  Io,               // the operating system refused (disk full, permission)
  Cancelled,
};

/// One clear sentence that names the thing, the value found and the value wanted.
struct Error {
  ErrorCode code = ErrorCode::BadFormat;
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    TANDEM_CHECK(ok(), error_message());
    return std::get<0>(state_);
  }
  T& value() & {
    TANDEM_CHECK(ok(), error_message());
    return std::get<0>(state_);
  }
  T&& value() && {
    TANDEM_CHECK(ok(), error_message());
    return std::get<0>(std::move(state_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const {
    TANDEM_CHECK(!ok(), "error() called on a Result that holds a value");
    return std::get<1>(state_);
  }

 private:
  std::string error_message() const { return ok() ? std::string() : std::get<1>(state_).message; }
  std::variant<T, Error> state_;
};

/// For operations that return nothing but can fail.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    TANDEM_CHECK(!ok(), "error() called on a Status that is ok");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace tandem

#define TANDEM_CONCAT_(a, b) a##b
#define TANDEM_CONCAT(a, b) TANDEM_CONCAT_(a, b)
/// TANDEM_TRY(auto x, f()); declares x from a Result, or returns its error from the enclosing function.
#define TANDEM_TRY(declaration, expression) \
  TANDEM_TRY_(declaration, expression, TANDEM_CONCAT(tandem_result_, __LINE__))
#define TANDEM_TRY_(declaration, expression, name) \
  auto name = (expression);                        \
  if (!(name)) return std::move(name).error();     \
  declaration = *std::move(name)
/// Returns the error of a Status or Result from the enclosing function, if there is one.
#define TANDEM_RETURN_IF_ERROR(expression)                                               \
  do {                                                                                   \
    if (auto tandem_status = (expression); !tandem_status) return tandem_status.error(); \
  } while (false)
