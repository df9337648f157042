# Makes of page.html, style.css and the scripts one HTML document, its content security policy, and C++ source with both.
#   cmake -DSOURCE_DIR=... -DOUTPUT_DIR=... "-DSCRIPTS=a.mjs;b.mjs" -P join_page.cmake
# The scripts are ES modules that import each other's names. Joined they are one script, so a name of the outermost level is
# given once in all of them; `import` goes, and `export` in front of a declaration.
cmake_minimum_required(VERSION 3.25)

# The base64 form (RFC 4648) of the SHA-256 of `text`, as content security policies write it.
function(sha256_base64 text out)
  set(digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  string(SHA256 hex "${text}")
  set(result "")
  # 32 bytes are ten groups of three bytes and one of two, which a zero byte completes.
  foreach(group RANGE 10)
    math(EXPR begin "${group} * 6")
    string(SUBSTRING "${hex}00" ${begin} 6 bytes)
    foreach(shift IN ITEMS 18 12 6 0)
      math(EXPR digit "(0x${bytes} >> ${shift}) & 63")
      string(SUBSTRING "${digits}" ${digit} 1 character)
      string(APPEND result "${character}")
    endforeach()
  endforeach()
  string(REGEX REPLACE ".$" "=" result "${result}")
  set(${out} "${result}" PARENT_SCOPE)
endfunction()

# One script without what makes it a module, in OUT. `joined`: the names of the files that stand before it.
function(read_script path joined out)
  get_filename_component(name "${path}" NAME)
  file(READ "${path}" text)
  string(REGEX MATCHALL "\nimport [^;]*from '[^']*'" imports "${text}")
  foreach(import IN LISTS imports)
    string(REGEX MATCH "'./([^']*)'" unused "${import}")
    if(NOT CMAKE_MATCH_1 IN_LIST joined)
      message(FATAL_ERROR "${name} imports ${CMAKE_MATCH_1}, which is not before it in the list of CMakeLists.txt")
    endif()
  endforeach()
  string(REGEX REPLACE "\nimport [^;]*;" "" text "${text}")
  string(REGEX REPLACE "\nexport (async function|function|const|let|class)([ *])" "\n\\1\\2" text "${text}")
  if(text MATCHES "\n(import|export)[ {*]" OR text MATCHES "import\\(")
    message(FATAL_ERROR "${name}: only `import {names} from './file.mjs'` and `export` before a declaration can be joined")
  endif()
  string(TOLOWER "${text}" lower)
  if(lower MATCHES "</script|<!--")
    message(FATAL_ERROR "${name}: '</script' and '<!--' would end the script in the page; write them in two parts")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# `text` as the elements of a C++ array of char.
function(as_characters text out)
  string(HEX "${text}" hex)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," characters "${hex}")
  # A line for every 20 of them.
  string(REPEAT "." 140 line)
  string(REGEX REPLACE "(${line})" "\\1\n" characters "${characters}")
  set(${out} "${characters}" PARENT_SCOPE)
endfunction()

set(script "'use strict';\n")
set(joined "")
set(names "")
foreach(path IN LISTS SCRIPTS)
  read_script("${path}" "${joined}" text)
  string(REGEX MATCHALL "\n(async function|function|const|let|class)[ *]+[A-Za-z_]+" declarations "${text}")
  list(TRANSFORM declarations REPLACE "^.*[ *]" "")
  foreach(name IN LISTS declarations)
    if(name IN_LIST names)
      message(FATAL_ERROR "${path}: '${name}' is declared in another script too; joined they share one scope")
    endif()
  endforeach()
  list(APPEND names ${declarations})
  string(APPEND script "${text}")
  get_filename_component(name "${path}" NAME)
  list(APPEND joined ${name})
endforeach()
set(script "{\n${script}}\n")  # a block: nothing of it becomes a property of the window

file(READ "${SOURCE_DIR}/style.css" style)
file(READ "${SOURCE_DIR}/page.html" page)
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")

sha256_base64("${script}" script_hash)
sha256_base64("${style}" style_hash)
string(CONCAT policy
       "default-src 'none'; script-src 'sha256-${script_hash}'; style-src 'sha256-${style_hash}'; connect-src 'self'; "
       "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
       "require-trusted-types-for 'script'; trusted-types 'none'")

as_characters("${page}" page_characters)
file(WRITE "${OUTPUT_DIR}/page.html" "${page}")
file(WRITE "${OUTPUT_DIR}/policy.txt" "${policy}")
file(WRITE "${OUTPUT_DIR}/page.cc" "// Made by join_page.cmake from examples/server/page.
#include \"examples/server/page/page.h\"

namespace quern::server {
namespace {

constexpr char kPage[] = {
${page_characters}
};

}  // namespace

std::string_view chat_page() { return std::string_view(kPage, sizeof(kPage)); }

std::string_view chat_page_policy() {
  return \"${policy}\";
}

}  // namespace quern::server
")
