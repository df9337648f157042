// String formatting as Python's '%' and str.format do it, for the conversions that templates use.
#pragma once

#include <string_view>

#include "lib/chat/work.h"

namespace quern::chat {

/// format % values: %s %r %d %i %u %f %F %e %g %x %X %o %c %%, with flags, width, precision and %(name)s.
Result<Value> percent_format(Work& work, std::string_view format, const Value& values);

/// format.format(...): {} {0} {name}, !r !s, and specifications [[fill]align][sign][0][width][,][.precision][type].
Result<Value> brace_format(Work& work, std::string_view format, const Arguments& arguments);

/// A float with so many digits after the point: what %.2f and round() need.
std::string fixed_text(double d, int digits);

}  // namespace quern::chat
