# Compiler flags that every room shares.

# Floating-point results must not depend on how the compiler contracts a * b + c: logits are reproducible to the bit.
add_compile_options(-Wall -Wextra -Wshadow -Wno-unused-parameter -ffp-contract=off)
if(QUERN_WERROR)
  add_compile_options(-Werror)
endif()
if(QUERN_SANITIZE)
  add_compile_options(-fsanitize=${QUERN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${QUERN_SANITIZE})
  if(QUERN_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
