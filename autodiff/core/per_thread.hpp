#pragma once

namespace xgrad::detail {

/// The calling thread's own T, made when it is first asked for, and destroyed when the thread ends. Objects in static storage may ask
/// after that, as those of the main thread end first: they get a new one, which stays.
template <class T>
T& per_thread() {
  static constinit thread_local T* object = nullptr;
  if (object) [[likely]] return *object;
  static constinit thread_local bool ended = false;
  struct Owner {
    ~Owner() {
      ended = true;
      delete object;
      object = nullptr;
    }
  };
  T* const made = new T;
  if (!ended) {
    thread_local Owner owner;
    static_cast<void>(owner);
  }
  return *(object = made);
}

}  // namespace xgrad::detail
