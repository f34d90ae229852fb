/// Shape contracts: one line of text per operation, parsed at compile time, checked at the door.
///
///     attention:  q[B,Hq,Lq,D]  k[B,Hkv,Lk,D]  v[B,Hkv,Lk,D]  mask?[B|1,Hq|1,Lq,Lk]  ->  out[B,Hq,Lq,D]
///                 where Hq % Hkv == 0, Lk == past + Lq
///
/// Grammar: `op: arg... -> out... [where condition, ...]`. An argument is `name[?] [dims] [:dtype]`, a
/// dimension a letter name, a number, a sum or product of them (`Hq*D`), or alternatives (`B|1`). A letter
/// is bound on first sight and must agree after. Conditions compare sums, products, quotients and remainders with
/// == != <= >= < >. Letters that no argument shows (`past`) are bound by Binder::dim.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/tensor.hpp"

namespace octavo {

class Contract;  // literal type; see the owner's definition below

}  // namespace octavo
