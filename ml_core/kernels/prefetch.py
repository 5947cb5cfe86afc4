"""``prefetch(flat, i)`` for compiled code: ask for a number's cache line before it is needed.
``fetch`` brings it as near as the first-level cache, for the very next rows.

Hardware sees a pass over rows coming only while they are read in order. An address beyond the array does no
harm: a prefetch never faults.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

READ, SECOND_LEVEL, FIRST_LEVEL, DATA = 0, 1, 3, 1


def _into(level):
    def define(typing, flat, i):
        def build(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            address = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
            builder.call(call, [address, word(READ), word(level), word(DATA)])
            return context.get_dummy_value()

        return types.void(flat, types.intp), build

    return define


prefetch = intrinsic(_into(SECOND_LEVEL))
fetch = intrinsic(_into(FIRST_LEVEL))
