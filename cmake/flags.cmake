# SPDX-License-Identifier: Apache-2.0
# Warnings are errors in every build; hardening belongs to release, sanitizers to the rest.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wwrite-strings -Wformat=2 -Wvla -Werror -fno-strict-aliasing -fno-common)
add_compile_definitions(_GNU_SOURCE PV_VERSION="${PROJECT_VERSION}")
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    # gcc knows no such warning: the model's X-macros leave a trailing comma or an empty list on purpose.
    add_compile_options(-Wno-gnu-zero-variadic-macro-arguments)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
        -fstack-clash-protection -fcf-protection)
    add_link_options(-pie -Wl,-z,relro,-z,now)
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
        add_compile_options(-Wno-macro-redefined)
    endif()
endif()
if(PV_SANITIZE)
    add_compile_options(-fsanitize=${PV_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer -g -O1)
    add_link_options(-fsanitize=${PV_SANITIZE})
endif()
if(PV_COVERAGE)
    add_compile_options(--coverage -g -O0)
    add_link_options(--coverage)
endif()
if(PV_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -g -O1)
    add_link_options(-fsanitize=address,undefined)
endif()
