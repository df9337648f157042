#!/usr/bin/env python3
"""Synthesise a tiny valid GGUF v3 llama model and several hundred named corrupt / hostile mutants of it.

  make_bad_gguf.py OUTDIR [--flips N] [--only SUBSTR] [--list]

Deterministic (no clock, own seeded RNG), stdlib only.  Writes OUTDIR/<name>.gguf and OUTDIR/manifest.tsv with the columns
name, category, expect, bytes, note.  expect is what a trustworthy loader should do:
  reject  a clean error return is the only right answer
  accept  the file is valid (or harmless); loading and decoding must work
  any     either, but never a signal, abort, uncaught exception, hang, unbounded memory or sanitizer report
"""
import os, struct, sys, random, copy, gzip, math

U8,I8,U16,I16,U32,I32,F32,BOOL,STR,ARR,U64,I64,F64 = range(13)
PK = {U8:'B',I8:'b',U16:'H',I16:'h',U32:'I',I32:'i',F32:'f',BOOL:'B',U64:'Q',I64:'q',F64:'d'}
GT = {'F32':(0,1,4),'F16':(1,1,2),'Q4_0':(2,32,18),'Q8_0':(8,32,34),'Q4_K':(12,256,144),'Q6_K':(14,256,210),
      'IQ2_XXS':(16,256,66),'IQ1_S':(19,256,50),'I8':(24,1,1),'I16':(25,1,2),'I32':(26,1,4),'I64':(27,1,8),'F64':(28,1,8),'BF16':(30,1,2)}
M64 = (1<<64)-1; M32 = (1<<32)-1

class Raw:                      # raw bytes in place of a typed value (type id given separately)
    def __init__(s,b): s.b=b
class A:                        # array: elem type, values, optional lied length / raw elements
    def __init__(s,t,v,n=None,raw=None,et=None): s.t,s.v,s.n,s.raw,s.et=t,v,n,raw,et

class W:
    def __init__(s,en='<'): s.b=bytearray(); s.en=en; s.marks=[]
    def m(s,name): s.marks.append((name,len(s.b)))
    def p(s,f,v): s.b+=struct.pack(s.en+f,v)
    def st(s,x,ln=None):
        if isinstance(x,str): x=x.encode('utf-8')
        s.p('Q',(len(x) if ln is None else ln)&M64); s.b+=x
    def val(s,t,v):
        if isinstance(v,Raw): s.b+=v.b; return
        if t==STR:
            if isinstance(v,tuple): s.st(v[0],v[1])
            else: s.st(v)
        elif t==ARR:
            s.p('I',(v.t if v.et is None else v.et)&M32); s.p('Q',(len(v.v) if v.n is None else v.n)&M64)
            if v.raw is not None: s.b+=v.raw
            else:
                if v.t in PK and v.t!=BOOL: s.b+=struct.pack(s.en+str(len(v.v))+PK[v.t],*v.v)
                else:
                    for e in v.v: s.val(v.t,e)
        else: s.p(PK[t],v)

class T:
    def __init__(s,name,dims,typ,data): s.name,s.dims,s.typ,s.data=name,list(dims),typ,data; s.off=None; s.ndims=None; s.tid=None; s.nlen=None

class Model:
    def __init__(s):
        s.magic=b'GGUF'; s.ver=3; s.nt=None; s.nk=None; s.kv=[]; s.ts=[]; s.align=32; s.tail=b''; s.en='<'
    def get(s,k): return next(e[2] for e in s.kv if e[0]==k)
    def set(s,k,t,v):
        for e in s.kv:
            if e[0]==k: e[1],e[2]=t,v; return
        s.kv.append([k,t,v])
    def rm(s,k): s.kv=[e for e in s.kv if e[0]!=k]
    def t(s,n): return next(x for x in s.ts if x.name==n)
    def ser(s):
        w=W(s.en); w.m('magic'); w.b+=s.magic; w.m('version'); w.p('I',s.ver&M32)
        w.m('n_tensors'); w.p('Q',(len(s.ts) if s.nt is None else s.nt)&M64)
        w.m('n_kv'); w.p('Q',(len(s.kv) if s.nk is None else s.nk)&M64)
        for i,e in enumerate(s.kv):
            k,t,v=e[:3]; kl=e[3] if len(e)>3 else None
            nm=k if isinstance(k,str) else 'raw'
            w.m('kv%d.keylen'%i); w.st(k,kl); w.m('kv%d.type'%i); w.p('I',t&M32); w.m('kv%d.value'%i); w.val(t,v)
        off=0
        for i,x in enumerate(s.ts):
            w.m('t%d.name'%i); w.st(x.name,x.nlen); w.m('t%d.ndims'%i); w.p('I',(len(x.dims) if x.ndims is None else x.ndims)&M32)
            w.m('t%d.dims'%i)
            for d in x.dims: w.p('Q',d&M64)
            w.m('t%d.type'%i); w.p('I',(GT[x.typ][0] if x.tid is None else x.tid)&M32)
            w.m('t%d.offset'%i); w.p('Q',(off if x.off is None else x.off)&M64)
            off+=(len(x.data)+s.align-1)//s.align*s.align
        w.m('infos_end')
        w.b+=b'\0'*(-len(w.b)%s.align); w.m('data')
        for x in s.ts: w.b+=x.data; w.b+=b'\0'*(-len(x.data)%s.align)
        w.m('end'); w.b+=s.tail
        s.marks=w.marks
        return bytes(w.b)

R=random.Random(20261121)
def f16(x): return struct.pack('<e',x)
def fill(n,typ,mode='rand'):
    tid,bl,sz=GT[typ]
    if typ in('F32','F16','BF16','F64'):
        def g(): return 1.0 if mode=='one' else (float('nan') if mode=='nan' else float('inf') if mode=='inf' else 1e-42 if mode=='denorm' else 3.4e38 if mode=='huge' else R.gauss(0,.08))
        vs=[g() for _ in range(n)]
        if typ=='F32': return struct.pack('<%df'%n,*vs)
        if typ=='F64': return struct.pack('<%dd'%n,*vs)
        if typ=='F16': return struct.pack('<%de'%n,*[min(v,6e4) if v==v else v for v in vs])
        return b''.join(struct.pack('<f',v)[2:] for v in vs)
    nb=n//bl; out=bytearray()
    for _ in range(nb):
        blk=bytearray(R.randbytes(sz))
        if typ in('Q4_0','Q8_0','IQ2_XXS','IQ1_S'): blk[0:2]=f16(.01)
        if typ=='Q4_K': blk[0:4]=f16(.001)*2
        if typ=='Q6_K': blk[-2:]=f16(.001)
        if mode=='allff': blk[:]=b'\xff'*sz
        out+=blk
    return bytes(out)
def ten(name,dims,typ='F32',mode='rand'):
    return T(name,dims,typ,fill(math.prod(dims),typ,'one' if mode=='rand' and 'norm' in name else mode))

def vocab_spm():
    tok=['<unk>','<s>','</s>']+['<0x%02X>'%i for i in range(256)]
    tok+=['\u2581']+[chr(c) for c in range(97,123)]+['he','ll']
    ty=[2,3,3]+[6]*256+[1]*29; sc=[0.0]*259+[-float(i) for i in range(29)]
    return tok,sc,ty
def byte2u():
    bs=list(range(33,127))+list(range(161,173))+list(range(174,256)); cs=bs[:]; n=0
    for b in range(256):
        if b not in bs: bs.append(b); cs.append(256+n); n+=1
    return [chr(c) for _,c in sorted(zip(bs,cs))]
E,H,KV,FF,L,CTX=32,4,2,64,2,128
TPL="{% for m in messages %}{{ '<s>' + m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
def base(arch='llama',e=E,ff=FF,typ='F32',layers=L,tk='spm',h=H,kvh=KV,mode='rand',nexp=0):
    m=Model(); a=arch+'.'; tok,sc,ty=vocab_spm()
    m.kv=[['general.architecture',STR,arch],['general.name',STR,'bad-base'],['general.alignment',U32,32],['general.file_type',U32,0],
     [a+'context_length',U32,CTX],[a+'embedding_length',U32,e],[a+'block_count',U32,layers],[a+'feed_forward_length',U32,ff],
     [a+'attention.head_count',U32,h],[a+'attention.head_count_kv',U32,kvh],[a+'attention.layer_norm_rms_epsilon',F32,1e-5],
     [a+'rope.dimension_count',U32,e//h],[a+'rope.freq_base',F32,10000.0],[a+'vocab_size',U32,len(tok)]]
    if tk=='spm':
        m.kv+=[['tokenizer.ggml.model',STR,'llama'],['tokenizer.ggml.tokens',ARR,A(STR,tok)],['tokenizer.ggml.scores',ARR,A(F32,sc)],
         ['tokenizer.ggml.token_type',ARR,A(I32,ty)],['tokenizer.ggml.bos_token_id',U32,1],['tokenizer.ggml.eos_token_id',U32,2],
         ['tokenizer.ggml.unknown_token_id',U32,0],['tokenizer.ggml.add_bos_token',BOOL,1]]
    elif tk=='bpe':
        tok=byte2u()+['he','ll','hell','hello','\u0120w']+['<|pad%d|>'%i for i in range(288-262)]+['<|end|>']
        m.kv+=[['tokenizer.ggml.model',STR,'gpt2'],['tokenizer.ggml.pre',STR,'gpt-2'],['tokenizer.ggml.tokens',ARR,A(STR,tok)],
         ['tokenizer.ggml.token_type',ARR,A(I32,[1]*261+[3]*27)],['tokenizer.ggml.merges',ARR,A(STR,['h e','l l','he ll','hell o','\u0120 w'])],
         ['tokenizer.ggml.bos_token_id',U32,287],['tokenizer.ggml.eos_token_id',U32,287]]
    m.kv+=[['tokenizer.chat_template',STR,TPL]]
    V=len(tok); d=e//h
    m.ts=[ten('token_embd.weight',[e,V],typ if typ!='F32' else 'F32',mode),ten('output_norm.weight',[e]),ten('output.weight',[e,V],typ,mode)]
    for i in range(layers):
        b='blk.%d.'%i
        m.ts+=[ten(b+'attn_norm.weight',[e]),ten(b+'attn_q.weight',[e,h*d],typ,mode),ten(b+'attn_k.weight',[e,kvh*d],typ,mode),ten(b+'attn_v.weight',[e,kvh*d],typ,mode),
               ten(b+'attn_output.weight',[h*d,e],typ,mode),ten(b+'ffn_norm.weight',[e])]
        if nexp: m.ts+=[ten(b+'ffn_gate_inp.weight',[e,nexp]),ten(b+'ffn_gate_exps.weight',[e,ff,nexp],typ,mode),ten(b+'ffn_up_exps.weight',[e,ff,nexp],typ,mode),ten(b+'ffn_down_exps.weight',[ff,e,nexp],typ,mode)]
        else: m.ts+=[ten(b+'ffn_gate.weight',[e,ff],typ,mode),ten(b+'ffn_up.weight',[e,ff],typ,mode),ten(b+'ffn_down.weight',[ff,e],typ,mode)]
    if nexp: m.set(a+'expert_count',U32,nexp); m.set(a+'expert_used_count',U32,2)
    return m

CASES=[]   # (name, category, expect, note, thunk)
def case(name,cat,exp,note,th): CASES.append((name,cat,exp,note,th))
_B=None
def B():
    global _B
    if _B is None: _B=base()
    return copy.deepcopy(_B)
def mut(name,cat,exp,note,fn,mk=B):
    def th():
        m=mk(); r=fn(m)
        return r if isinstance(r,(bytes,bytearray)) else m.ser()
    case(name,cat,exp,note,th)
def kvset(name,cat,exp,note,k,t,v,mk=B): mut(name,cat,exp,note,lambda m:m.set(k,t,v),mk)
def byteswapped(m): m.en='>'; return m.ser()

# ---------------------------------------------------------------- A header
mut('ok_base','valid','accept','the unmutated model',lambda m:None)
mut('ok_v2','valid','accept','version 2 has the same layout',lambda m:setattr(m,'ver',2))
mut('ok_trailing_garbage','valid','any','1 KiB after the last tensor',lambda m:setattr(m,'tail',R.randbytes(1024)))
case('ok_bpe','valid','accept','gpt2-style byte BPE vocabulary',lambda:base(tk='bpe').ser())
case('ok_moe','valid','accept','4 experts, 2 used',lambda:base(nexp=4).ser())
case('ok_f16','valid','accept','F16 matrices',lambda:base(typ='F16').ser())
case('ok_q4_0','valid','accept','Q4_0 matrices',lambda:base(typ='Q4_0').ser())
case('ok_q4_k','valid','accept','Q4_K, embd 256',lambda:base(e=256,ff=256,layers=1,typ='Q4_K').ser())
case('hdr_empty','header','reject','0 bytes',lambda:b'')
for n in(1,3,4,7,8,12,23): case('hdr_first_%d_bytes'%n,'header','reject','only the first %d bytes'%n,lambda n=n:B().ser()[:n])
for nm,mg in(('lower',b'gguf'),('ggml',b'GGML'),('ggjt',b'ggjt'),('zero',b'\0\0\0\0'),('fugg',b'FUGG'),('elf',b'\x7fELF'),('high',b'\xff\xff\xff\xff')):
    mut('hdr_magic_'+nm,'header','reject','magic %r'%mg,lambda m,mg=mg:setattr(m,'magic',mg))
for v in(0,1,4,99,0xffff,0x10000,0x30000,0x80000003,M32): mut('hdr_version_%x'%v,'header','reject','version 0x%x'%v,lambda m,v=v:setattr(m,'ver',v))
mut('hdr_big_endian_v3','header','any','valid big-endian file: reject or byte-swap',byteswapped)
mut('hdr_gzip','header','reject','gzip of a valid file',lambda m:gzip.compress(m.ser(),mtime=0))
mut('hdr_prefixed_garbage','header','reject','valid file after 16 junk bytes',lambda m:b'\0'*16+m.ser())
for nm,v in(('m1',M64),('2p63',1<<63),('2p63m1',(1<<63)-1),('2p62',1<<62),('2p32',1<<32),('2p31',1<<31),('2p24',1<<24),('plus1',-1),('minus1',-2),('zero',0)):
    def f(m,v=v,a='nt'): setattr(m,a,len(m.ts)+1 if v==-1 else len(m.ts)-1 if v==-2 else v)
    mut('hdr_n_tensors_'+nm,'header','reject','n_tensors lie',f)
    def g(m,v=v): m.nk=len(m.kv)+1 if v==-1 else len(m.kv)-1 if v==-2 else v
    mut('hdr_n_kv_'+nm,'header','reject','n_kv lie',g)
# ---------------------------------------------------------------- B truncation
def trunc(where,delta):
    m=B(); b=m.ser(); d=dict(m.marks); return b[:d[where]+delta]
_m=B(); _b=_m.ser(); MARKS=_m.marks; NK=len(_m.kv); NTn=len(_m.ts)
for i in range(NK):
    for part in('keylen','type','value'):
        case('trunc_kv%02d_%s'%(i,part),'truncation','reject','cut at %s of key %s'%(part,_m.kv[i][0]),lambda i=i,part=part:trunc('kv%d.%s'%(i,part),0))
    case('trunc_kv%02d_midvalue'%i,'truncation','reject','cut 1 byte into the value of %s'%_m.kv[i][0],lambda i=i:trunc('kv%d.value'%i,1))
for i in(0,1,NTn//2,NTn-1):
    for part,dl in(('name',0),('name',4),('name',9),('ndims',2),('dims',4),('type',2),('offset',3)):
        case('trunc_t%02d_%s_p%d'%(i,part,dl),'truncation','reject','cut in tensor info',lambda i=i,part=part,dl=dl:trunc('t%d.%s'%(i,part),dl))
for nm,w,dl in(('infos_end','infos_end',0),('pad','infos_end',1),('data_m1','data',-1),('data_0','data',0),('data_p1','data',1),('data_half','data',(len(_b)-dict(MARKS)['data'])//2),('end_m1','end',-1),('end_m33','end',-33),('end_m128','end',-128)):
    exp='any' if nm=='end_m1' else 'reject'
    case('trunc_'+nm,'truncation','reject','cut at '+nm,lambda w=w,dl=dl:trunc(w,dl))
ti=[e[0] for e in _m.kv].index('tokenizer.ggml.tokens')
for dl in(4,12,14,20,1000): case('trunc_tokens_p%d'%dl,'truncation','reject','cut inside the tokens array',lambda dl=dl:trunc('kv%d.value'%ti,dl))
# ---------------------------------------------------------------- C strings and keys
for nm,n in(('m1',M64),('m8',M64-7),('2p63',1<<63),('2p63m1',(1<<63)-1),('2p40',1<<40),('2p32',1<<32),('2p31',1<<31),('2p30',1<<30),('plus1M',1<<20)):
    mut('str_keylen_'+nm,'string','reject','first key length lie',lambda m,n=n:m.kv[0].append(n))
    mut('str_vallen_'+nm,'string','reject','general.name length lie',lambda m,n=n:m.set('general.name',STR,('x',n)))
    mut('str_elemlen_'+nm,'string','reject','tokens[5] length lie',lambda m,n=n:m.get('tokenizer.ggml.tokens').v.__setitem__(5,('x',n)))
    mut('str_tnamelen_'+nm,'string','reject','tensor name length lie',lambda m,n=n:setattr(m.ts[0],'nlen',n))
mut('key_empty','key','reject','zero-length key',lambda m:m.kv.insert(2,['',U32,1]))
mut('key_64k','key','any','65536-byte key (spec limit 65535)',lambda m:m.kv.append(['k'*65536,U32,1]))
mut('key_nul','key','any','key with embedded NUL',lambda m:m.kv.append(['a\0b',U32,1]))
mut('key_nul_alias','key','any','general.architecture\\0x shadows',lambda m:m.kv.insert(0,['general.architecture\0x',STR,'bert']))
mut('key_bad_utf8','key','any','key is invalid UTF-8',lambda m:m.kv.append([b'\xff\xfe\x80\xc0\xaf',U32,1]))
mut('key_dup_same','key','reject','duplicate key, same value',lambda m:m.kv.append(['general.name',STR,'bad-base']))
mut('key_dup_arch','key','reject','duplicate architecture, other value',lambda m:m.kv.append(['general.architecture',STR,'gpt2']))
mut('key_dup_align','key','reject','duplicate alignment 64',lambda m:m.kv.append(['general.alignment',U32,64]))
mut('arch_missing','key','reject','no general.architecture',lambda m:m.rm('general.architecture'))
for nm,v in(('empty',''),('unknown','no-such-arch'),('nul','llama\0'),('fmt','%s%s%n%x'),('long','a'*(1<<20)),('badutf8',b'\xff\xfe'),('case','LLAMA'),('dots','../../etc/passwd')):
    kvset('arch_'+nm,'key','reject','architecture string',"general.architecture",STR,v)
kvset('name_fmt','string','accept','format string in general.name','general.name',STR,'%s%n%99999999d')
kvset('name_ansi','string','accept','terminal escapes in general.name','general.name',STR,'\x1b]0;pwn\x07\x1b[2J')
kvset('name_badutf8','string','any','invalid UTF-8 in general.name','general.name',STR,b'\xc3\x28\xa0\xa1')
kvset('name_8mb','string','any','8 MiB general.name','general.name',STR,'x'*(8<<20))
# ---------------------------------------------------------------- D arrays and value types
for nm,et,n in(('u8_m1',U8,M64),('u8_2p63',U8,1<<63),('u32_2p62',U32,1<<62),('u64_2p61',U64,1<<61),('str_2p61',STR,1<<61),('str_m1',STR,M64),('f32_2p32',F32,1<<32),('u8_2p31',U8,1<<31),('str_2p30',STR,1<<30),('u8_2p30p1',U8,(1<<30)+1),('i32_plus1k',I32,1000)):
    mut('arr_len_'+nm,'array','reject','array length lie at the end of the KV section',lambda m,et=et,n=n:m.kv.append(['x.arr',ARR,A(et,[],n=n,raw=b'\1\0\0\0\0\0\0\0')]))
for et in(9,13,14,99,0x7fffffff,0x80000000,M32): mut('arr_elemtype_%x'%et,'array','reject','array element type %d'%et,lambda m,et=et:m.kv.append(['x.arr',ARR,A(U8,[],n=1,raw=b'\0'*16,et=et)]))
def nest(depth):
    return b''.join(struct.pack('<IQ',9,1) for _ in range(depth))+struct.pack('<IQ',U8,1)+b'\0'
for d in(1,8,100,100000): mut('arr_nested_%d'%d,'array','reject' if d>8 else 'any','array nested %d deep'%d,lambda m,d=d:m.kv.append(['x.nest',ARR,Raw(nest(d))]))
mut('arr_nested_wide','array','any','array of 2^40 empty arrays',lambda m:m.kv.append(['x.nest',ARR,Raw(struct.pack('<IQ',9,1<<40)+struct.pack('<IQ',U8,0)*4)]))
for vt in(13,14,255,0x7fffffff,0x80000000,M32): mut('val_type_%x'%vt,'array','reject','value type id %d'%vt,lambda m,vt=vt:m.kv.append(['x.v',vt,Raw(b'\0'*8)]))
mut('bool_value_2','array','any','bool byte 2',lambda m:m.kv.append(['x.b',BOOL,2]))
mut('bool_value_255','array','any','add_bos_token = 255',lambda m:m.set('tokenizer.ggml.add_bos_token',BOOL,255))
mut('arr_empty_all_types','array','accept','empty arrays of every scalar type',lambda m:[m.kv.append(['x.e%d'%t,ARR,A(t,[])]) for t in(0,1,2,3,4,5,6,7,8,10,11,12)])
# wrong type for known keys
def wrong():
    base_=B()
    for k,t,v in [tuple(e[:3]) for e in base_.kv]:
        sh=k.replace('tokenizer.ggml.','tok.').replace('general.','gen.').replace('attention.','att.')
        opts=[('str',STR,'oops'),('arr',ARR,A(U32,[1,2,3])),('f64nan',F64,float('nan'))] if t!=STR else [('u32',U32,7),('arrstr',ARR,A(STR,['llama']))]
        if t==ARR: opts=[('u32',U32,7),('str',STR,'oops'),('arru8',ARR,A(U8,[1]*288)),('arrbool',ARR,A(BOOL,[1]*288)),('arri64',ARR,A(I64,[1]*288))]
        if t==U32: opts+=[('i32neg',I32,-1),('u64',U64,1<<40),('bool',BOOL,1)]
        for nm,tt,vv in opts: kvset('type_%s_%s'%(sh,nm),'wrong-type','any',k+' stored as another type',k,tt,vv)
wrong()
# ---------------------------------------------------------------- E tensor infos
def tmut(name,exp,note,fn,tn='blk.0.attn_q.weight',mk=B): mut(name,'tensor-info',exp,note,lambda m:fn(m.t(tn)),mk)
for n in(0,5,6,64,0x10000,0x7fffffff,M32): tmut('ti_ndims_%x'%n,'reject','n_dims=%d with 2 dims stored'%n,lambda t,n=n:setattr(t,'ndims',n))
def dims(*d): return lambda t:setattr(t,'dims',list(d))
for nm,d in(('zero',(0,32)),('zero2',(32,0)),('neg1',(M64,32)),('neg2',(32,M64)),('int64min',(1<<63,1)),('2p63m1',((1<<63)-1,1)),('2p32sq',(1<<32,1<<32)),('2p31_2p33',(1<<31,1<<33)),('2p62x4',(1<<62,4)),
            ('2p61',(1<<61,1)),('2p62',(1<<62,1)),('2p60x4',(1<<60,4)),('4d_2p16',(1<<16,1<<16,1<<16,1<<16)),('4d_2p16m',(1<<16,1<<16,1<<16,(1<<15)-1)),('2p40',(1<<40,1)),('2p31',(1<<31,1)),('2p32p32',((1<<32)+32,32)),('transposed_k',(16,32)),('33',(33,32)),('smaller',(16,16)),('larger',(64,64)),('3d',(32,32,1)),('3d2',(32,16,2)),('4d',(32,8,2,2)),('1d',(1024,)),('neg_wrap',(M64,M64)),('neg_pair',(M64-31,M64-31))):
    exp='reject' if nm not in('3d',) else 'any'
    tmut('ti_dims_'+nm,exp,'attn_q dims %s'%(d,),dims(*d))
for nm,d in(('zero_rows',(32,0)),('2p63wrap',(32,1<<59)),('huge_vocab',(32,1<<31)),('small_vocab',(32,16)),('vocab_p1',(32,289)),('embd16',(16,288))):
    tmut('ti_embd_'+nm,'reject','token_embd dims %s'%(d,),dims(*d),'token_embd.weight')
for nm,d in(('zero',(0,)),('2',(2,)),('33',(33,)),('2d',(32,2))): tmut('ti_norm_'+nm,'reject','norm dims %s'%(d,),dims(*d),'blk.0.attn_norm.weight')
for tid in(3,4,5,6,7,8,9,10,12,15,16,20,23,24,25,26,27,28,29,30,31,34,36,37,38,39,40,41,42,43,44,99,0xff,0x7fffffff,0x80000000,M32):
    tmut('ti_type_%x'%tid,'reject' if tid not in(24,25,26,27,28,30) else 'reject','attn_q type id %d, data not resized'%tid,lambda t,tid=tid:setattr(t,'tid',tid))
for nm in('F16','F64','I8','I16','I32','I64','BF16','Q4_0','Q8_0'):
    def f(m,nm=nm):
        m.ts=[ten(t.name,t.dims,nm) if t.name=='blk.0.attn_norm.weight' and nm in('F16','F64','BF16','Q4_0','Q8_0') else (T(t.name,t.dims,nm,b'\1'*(32*GT[nm][2])) if t.name=='blk.0.attn_norm.weight' else t) for t in m.ts]
    mut('ti_normtype_'+nm,'tensor-info','any','attn_norm stored as %s (sized right)'%nm,f)
    def g(m,nm=nm):
        m.ts=[(ten(t.name,t.dims,nm) if nm[0]!='I' else T(t.name,t.dims,nm,b'\1'*(32*288*GT[nm][2]))) if t.name=='token_embd.weight' else t for t in m.ts]
    mut('ti_embdtype_'+nm,'tensor-info','any','token_embd stored as %s (sized right)'%nm,g)
    def h(m,nm=nm):
        m.ts=[(ten(t.name,t.dims,nm) if nm[0]!='I' else T(t.name,t.dims,nm,b'\1'*(1024*GT[nm][2]))) if t.name=='blk.0.attn_q.weight' else t for t in m.ts]
    mut('ti_qtype_'+nm,'tensor-info','any','attn_q stored as %s (sized right)'%nm,h)
for nm,v,exp in(('empty','','reject'),('63','n'*63,'any'),('64','n'*64,'any'),('65535','n'*65535,'any'),('nul','blk.0.attn_q.weight\0x','reject'),('badutf8',b'\xff\xfe','reject'),('fmt','%n%s%99999d','reject')):
    tmut('ti_name_'+nm,exp,'tensor renamed',lambda t,v=v:setattr(t,'name',v))
mut('ti_dup_adjacent','tensor-info','reject','two tensors with the same name',lambda m:setattr(m.ts[1],'name',m.ts[0].name))
mut('ti_dup_extra','tensor-info','reject','extra second token_embd.weight',lambda m:m.ts.append(ten('token_embd.weight',[32,288])))
mut('ti_extra_unknown','tensor-info','any','unknown extra tensor',lambda m:m.ts.append(ten('backdoor.weight',[32])))
mut('ti_extra_layer','tensor-info','any','blk.7 tensor beyond block_count',lambda m:m.ts.append(ten('blk.7.attn_q.weight',[32,32])))
for nm in('token_embd.weight','output_norm.weight','output.weight','blk.0.attn_norm.weight','blk.0.attn_q.weight','blk.0.attn_k.weight','blk.1.attn_v.weight','blk.1.attn_output.weight','blk.1.ffn_norm.weight','blk.1.ffn_gate.weight','blk.0.ffn_up.weight','blk.1.ffn_down.weight'):
    mut('ti_missing_'+nm.replace('.weight',''),'tensor-info','any' if nm in('output.weight','blk.1.ffn_gate.weight') else 'reject','tensor removed',lambda m,nm=nm:setattr(m,'ts',[t for t in m.ts if t.name!=nm]))
mut('ti_none','tensor-info','reject','n_tensors = 0',lambda m:setattr(m,'ts',[]))
for nm,o,exp in(('plus1',1,'reject'),('plus4',4,'reject'),('minus32',-32,'reject'),('plus32',32,'reject'),('zero','0','reject'),('eof','eof','reject'),('eof_m32','eofm','reject'),('2p31',1<<31,'reject'),('2p40',1<<40,'reject'),('2p63',1<<63,'reject'),('m1',M64,'reject'),('m32',M64-31,'reject'),('m4096',M64-4095,'reject')):
    for last in(False,True):
        def f(m,o=o,last=last):
            m.ser(); off=0; tgt=m.ts[-1] if last else m.ts[4]
            for t in m.ts:
                if t is tgt: break
                off+=(len(t.data)+31)//32*32
            tot=sum((len(t.data)+31)//32*32 for t in m.ts)
            tgt.off={'0':0,'eof':tot,'eofm':tot-32}.get(o,None) if isinstance(o,str) else (o if o>1<<30 else off+o)
        mut('off_%s_%s'%('last' if last else 'mid',nm),'offset',exp,'tensor offset %s'%(o,),f)
mut('off_all_zero','offset','reject','every tensor at offset 0 (full overlap)',lambda m:[setattr(t,'off',0) for t in m.ts])
def swapoff(m): a,b=m.t('blk.0.attn_q.weight'),m.t('blk.1.attn_q.weight'); m.ser(); 
def so(m):
    off=0; d={}
    for t in m.ts: d[t.name]=off; off+=(len(t.data)+31)//32*32
    m.t('blk.0.attn_q.weight').off=d['blk.1.attn_q.weight']; m.t('blk.1.attn_q.weight').off=d['blk.0.attn_q.weight']
mut('off_swapped','offset','any','two same-size tensors with swapped offsets (non-monotonic)',so)
def revo(m):
    d=[];off=0
    for t in reversed(m.ts): t.off=off; off+=(len(t.data)+31)//32*32
    data=b''.join(t.data+b'\0'*(-len(t.data)%32) for t in reversed(m.ts)); b=m.ser(); s=dict(m.marks)['data']; return b[:s]+data
mut('off_reversed_order','offset','any','data laid out in reverse order, offsets right',revo)
# ---------------------------------------------------------------- F alignment
for v in(0,1,2,3,7,8,16,33,48,64,4096,1<<20,1<<30,1<<31,M32): kvset('align_%x'%v,'alignment','any' if v in(1,2,8,16) else 'reject','alignment %d, data laid out for 32'%v,"general.alignment",U32,v)
def al(v):
    def f(m): m.align=v; m.set('general.alignment',U32,v)
    return f
for v in(8,16,64,4096,65536): mut('align_ok_%d'%v,'alignment','accept' if v>=32 else 'any','consistent alignment %d'%v,al(v))
mut('align_removed','valid','accept','no alignment key, default 32',lambda m:m.rm('general.alignment'))
kvset('align_u64','alignment','any','alignment as u64','general.alignment',U64,32)
kvset('align_i32neg','alignment','reject','alignment -32 as i32','general.alignment',I32,-32)
# ---------------------------------------------------------------- G hyper-parameters
HP={'context_length':(0,1,1<<20,0x7fffffff,1<<31,M32),'embedding_length':(0,1,31,33,64,1<<20,0x7fffffff,1<<31,M32),
 'block_count':(0,1,3,64,512,513,1000,65536,1<<20,0x7fffffff,1<<31,M32),'feed_forward_length':(0,1,63,65,1<<20,1<<31,M32),
 'attention.head_count':(0,1,2,3,5,32,33,64,1<<16,1<<31,M32),'attention.head_count_kv':(0,1,3,4,5,8,1<<16,1<<31,M32),
 'rope.dimension_count':(0,1,2,6,7,9,16,32,1000,1<<31,M32),'vocab_size':(0,1,287,289,1<<20,1<<31,M32),
 'attention.key_length':(0,1,2,4,7,16,64,1<<20,1<<31,M32),'attention.value_length':(0,1,4,7,16,64,1<<20,1<<31,M32),
 'expert_count':(1,8,1<<16,1<<31,M32),'expert_used_count':(1,8,M32),'attention.sliding_window':(0,1,7,1<<31,M32),
 'attention.layer_indices':(1,),'leading_dense_block_count':(5,M32),'pooling_type':(99,M32),'embedding_length_out':(0,M32),'nextn_predict_layers':(1,2,3,M32)}
for k,vs in HP.items():
    for v in vs: kvset('hp_%s_%x'%(k.replace('attention.','att.'),v),'hparams','any','llama.%s = %d'%(k,v),'llama.'+k,U32,v)
for k in('context_length','embedding_length','block_count','feed_forward_length','attention.head_count','attention.layer_norm_rms_epsilon','rope.dimension_count','vocab_size','attention.head_count_kv','rope.freq_base'):
    mut('hp_missing_'+k.replace('attention.','att.'),'hparams','any' if k in('rope.dimension_count','vocab_size','attention.head_count_kv','rope.freq_base') else 'reject','key removed',lambda m,k=k:m.rm('llama.'+k))
FL=(('nan',float('nan')),('inf',float('inf')),('ninf',float('-inf')),('zero',0.0),('neg',-1.0),('denorm',1e-42),('huge',3.4e38))
for k in('rope.freq_base','attention.layer_norm_rms_epsilon','rope.scaling.factor','rope.scale_linear','attention.scale','logit_scale','embedding_scale','residual_scale','attention.clamp_kqv','rope.scaling.yarn_log_multiplier'):
    for nm,v in FL: kvset('hpf_%s_%s'%(k.replace('attention.','att.'),nm),'hparams-float','any','llama.%s = %s'%(k,nm),'llama.'+k,F32,v)
kvset('rope_type_garbage','hparams','any','rope.scaling.type garbage','llama.rope.scaling.type',STR,'garbage')
def yarn(o,f):
    def g(m): m.set('llama.rope.scaling.type',STR,'yarn'); m.set('llama.rope.scaling.original_context_length',U32,o); m.set('llama.rope.scaling.factor',F32,f)
    return g
for nm,o,f in(('orig0',0,4.0),('factor0',128,0.0),('nan',128,float('nan')),('origmax',M32,1e30)): mut('rope_yarn_'+nm,'hparams-float','any','yarn scaling',yarn(o,f))
kvset('rope_sections_neg','hparams','any','mrope sections negative','llama.rope.dimension_sections',ARR,A(I32,[-1,-1,2147483647,0]))
kvset('rope_sections_long','hparams','any','1000 mrope sections','llama.rope.dimension_sections',ARR,A(I32,[1]*1000))
for k in('attention.head_count','attention.head_count_kv','feed_forward_length'):
    ok={'attention.head_count':4,'attention.head_count_kv':2,'feed_forward_length':64}[k]
    for nm,v,exp in(('ok',[ok,ok],'accept'),('short',[ok],'any'),('empty',[],'any'),('long',[ok]*600,'any'),('zero',[0,0],'any'),('mixzero',[ok,0],'any'),('huge',[M32,1<<31],'any'),('mixed',[ok,1],'any')):
        kvset('hparr_%s_%s'%(k.split('.')[-1],nm),'hparams',exp,'per-layer array %s'%nm,'llama.'+k,ARR,A(U32,v))
    kvset('hparr_%s_neg'%k.split('.')[-1],'hparams','any','per-layer i32 -1','llama.'+k,ARR,A(I32,[-1,-1]))
    kvset('hparr_%s_str'%k.split('.')[-1],'hparams','any','per-layer strings','llama.'+k,ARR,A(STR,['a','b']))
for k,v in(('general.file_type',9999),('general.quantization_version',M32),('llama.tensor_data_layout',7)): kvset('misc_'+k.replace('.','_'),'hparams','any',k,k,U32,v)
for nm,no,cnt,tot in(('self2',0,2,21),('no5',5,2,21),('cnt65535',0,65535,21),('cnt0',0,0,21),('cnt1',0,1,21),('totneg',0,2,-1)):
    mut('split_'+nm,'split','any' if nm in('cnt0','cnt1') else 'reject','split.* lies, no sibling file',lambda m,no=no,cnt=cnt,tot=tot:[m.kv.append(['split.no',U16,no]),m.kv.append(['split.count',U16,cnt]),m.kv.append(['split.tensors.count',I32,tot])])
def moe(**kw):
    def mk(): return base(nexp=4)
    return mk
for k,v in(('expert_count',8),('expert_count',2),('expert_count',M32),('expert_used_count',0),('expert_used_count',5),('expert_used_count',M32)):
    mut('moe_%s_%x'%(k,v),'hparams','any','MoE base with '+k,lambda m,k=k,v=v:m.set('llama.'+k,U32,v),moe())
for v in(0,1,7,99,M32): mut('moe_gating_%x'%v,'hparams','any','expert_gating_func',lambda m,v=v:m.set('llama.expert_gating_func',U32,v),moe())
for k,v in(('expert_group_count',0),('expert_group_count',3),('expert_group_count',M32),('expert_group_used_count',9)): mut('moe_%s_%x'%(k,v),'hparams','any','group routing',lambda m,k=k,v=v:[m.set('llama.expert_group_count',U32,2),m.set('llama.'+k,U32,v)],moe())
# ---------------------------------------------------------------- H tokenizer
TG='tokenizer.ggml.'
for k in('model','tokens','scores','token_type','bos_token_id','eos_token_id','unknown_token_id'): mut('tok_missing_'+k,'tokenizer','any','key removed',lambda m,k=k:m.rm(TG+k))
def tokens(f): return lambda m:setattr(m.get(TG+'tokens'),'v',f(m.get(TG+'tokens').v))
mut('tok_tokens_empty','tokenizer','reject','0 tokens',tokens(lambda v:[]))
mut('tok_tokens_1','tokenizer','reject','1 token, 288 rows',tokens(lambda v:v[:1]))
mut('tok_tokens_287','tokenizer','any','one token fewer than rows',tokens(lambda v:v[:-1]))
mut('tok_tokens_289','tokenizer','reject','one token more than rows',tokens(lambda v:v+['zz']))
mut('tok_tokens_100k','tokenizer','reject','100k tokens, 288 rows',tokens(lambda v:v+['t%d'%i for i in range(100000)]))
mut('tok_dup_all','tokenizer','any','all tokens equal',tokens(lambda v:['a']*len(v)))
mut('tok_empty_strings','tokenizer','any','all tokens empty',tokens(lambda v:['']*len(v)))
mut('tok_bad_utf8','tokenizer','any','normal tokens are invalid UTF-8',tokens(lambda v:v[:259]+[b'\xff\xfe',b'\xc0\x80',b'\xed\xa0\x80',b'\xf8\x88\x80\x80\x80']+v[263:]))
mut('tok_nul','tokenizer','any','token with NUL',tokens(lambda v:v[:-1]+['a\0b']))
mut('tok_1mb','tokenizer','any','1 MiB token',tokens(lambda v:v[:-1]+['x'*(1<<20)]))
mut('tok_trunc_utf8','tokenizer','any','token ends mid-sequence',tokens(lambda v:v[:-1]+[b'\xe2\x96']))
for nm,x in(('GG','<0xGG>'),('neg','<0x-1>'),('short','<0x'),('one','<0x4>'),('long','<0x414141>'),('space','<0x 1>'),('empty','<0x>'),('plain','A')):
    mut('tok_byte_'+nm,'tokenizer','any','malformed byte token',tokens(lambda v,x=x:v[:3]+[x]*256+v[259:]))
mut('tok_no_bytes','tokenizer','any','byte tokens retyped normal',lambda m:m.get(TG+'token_type').v.__setitem__(slice(3,259),[1]*256))
for nm,f in(('short',lambda v:v[:10]),('empty',lambda v:[]),('long',lambda v:v+[0.0]*5000),('nan',lambda v:[float('nan')]*len(v)),('inf',lambda v:[float('inf')]*len(v)),('huge',lambda v:[3e38]*len(v))):
    mut('tok_scores_'+nm,'tokenizer','any' if nm not in('short','empty') else 'reject','scores '+nm,lambda m,f=f:setattr(m.get(TG+'scores'),'v',f(m.get(TG+'scores').v)))
for nm,f in(('short',lambda v:v[:10]),('empty',lambda v:[]),('long',lambda v:v+[1]*5000),('neg',lambda v:[-1]*len(v)),('99',lambda v:[99]*len(v)),('min',lambda v:[-2147483648]*len(v)),('allctrl',lambda v:[3]*len(v))):
    mut('tok_types_'+nm,'tokenizer','any' if nm not in('short','empty') else 'reject','token_type '+nm,lambda m,f=f:setattr(m.get(TG+'token_type'),'v',f(m.get(TG+'token_type').v)))
for k in('bos','eos','unknown','padding','eot','eom','seperator','cls','mask','fim_pre','fim_sep'):
    for nm,v in(('n',288),('2p31',1<<31),('max',M32),('max_m1',M32-1),('2p31m1',0x7fffffff)):
        if k in('bos','eos','unknown') or nm in('n','2p31m1'): kvset('tok_id_%s_%s'%(k,nm),'tokenizer','any','%s_token_id out of range'%k,TG+k+'_token_id',U32,v)
kvset('tok_id_eog_arr','tokenizer','any','eos_token_ids array out of range',TG+'eos_token_ids',ARR,A(U32,[M32]*64))
for nm,v in(('empty',''),('unknown','xyz'),('none','none'),('no_vocab','no_vocab'),('gpt2','gpt2'),('bert','bert'),('t5','t5'),('rwkv','rwkv'),('plamo2','plamo2'),('hybriddna','hybriddna'),('gemma4','gemma4'),('long','g'*(1<<20))): kvset('tok_model_'+nm,'tokenizer','any','tokenizer.ggml.model on an SPM vocabulary',TG+'model',STR,v)
bpe=lambda:base(tk='bpe')
def bmut(n,exp,note,fn): mut(n,'tokenizer',exp,note,fn,bpe)
bmut('bpe_no_merges','any','merges missing',lambda m:m.rm(TG+'merges'))
bmut('bpe_merges_empty','any','no merges',lambda m:m.set(TG+'merges',ARR,A(STR,[])))
for nm,v in(('emptystr',['']*5),('nospace',['he','ll']),('three',['h e l','a b c']),('onlyspace',[' ','  ','   ']),('lead',[' e',' l']),('badutf8',[b'\xff\xfe \xc0',b'h \xff']),('oov',['zzz yyy']),('nul',['h\0 e']),('dup',['h e']*50000),('long',['h '+'e'*(1<<20)])):
    bmut('bpe_merges_'+nm,'any','garbage merges',lambda m,v=v:m.set(TG+'merges',ARR,A(STR,v)))
bmut('bpe_merges_u32','any','merges as u32 array',lambda m:m.set(TG+'merges',ARR,A(U32,[1,2,3])))
bmut('bpe_merges_scalar','any','merges as string',lambda m:m.set(TG+'merges',STR,'h e'))
for nm,v in(('unknown','no-such-pre'),('empty',''),('long','p'*(1<<20)),('llama3','llama-bpe'),('badutf8',b'\xff')): bmut('bpe_pre_'+nm,'any','pre-tokenizer name',lambda m,v=v:m.set(TG+'pre',STR,v))
bmut('bpe_pre_missing','any','no pre key',lambda m:m.rm(TG+'pre'))
bmut('bpe_missing_byte_tokens','any','byte symbols absent',lambda m:m.set(TG+'tokens',ARR,A(STR,['tok%d'%i for i in range(288)])))
bmut('bpe_tokens_badutf8','any','all tokens invalid UTF-8',lambda m:m.set(TG+'tokens',ARR,A(STR,[bytes([0xff,0x80+i%64,i//64]) for i in range(288)])))
def withvocab(model,toks,ty=None,sc=None,extra=()):
    def f(m):
        t=(toks+['<x%d>'%i for i in range(288)])[:288]
        m.set(TG+'model',STR,model); m.set(TG+'tokens',ARR,A(STR,t)); m.set(TG+'token_type',ARR,A(I32,(ty or[1]*288))); m.set(TG+'scores',ARR,A(F32,sc or[-1.0]*288))
        for k,tt,v in extra: m.set(k,tt,v)
    return f
PC=TG+'precompiled_charsmap'
def ugm(name,cm): mut('ugm_charsmap_'+name,'tokenizer','any','T5 unigram precompiled_charsmap',withvocab('t5',['<pad>','</s>','<unk>','\u2581','a','b'],[3,3,2]+[1]*285,None,[(PC,ARR,cm),(TG+'unknown_token_id',U32,2),(TG+'eos_token_id',U32,1)]))
ugm('empty',A(U8,[])); ugm('3bytes',A(U8,[1,2,3])); ugm('hugesize',A(U8,list(struct.pack('<I',M32))+[0]*64)); ugm('size_eq',A(U8,list(struct.pack('<I',64))+[255]*64)); ugm('odd',A(U8,list(struct.pack('<I',7))+[255]*32))
ugm('rand',A(U8,list(struct.pack('<I',1024))+list(R.randbytes(2048)))); ugm('base_oob',A(U8,list(struct.pack('<I',64)+struct.pack('<16I',*[0x7ffffc00]*16))+[97]*8)); ugm('i32',A(I32,[-1]*64)); ugm('nonul',A(U8,list(struct.pack('<I',4)+struct.pack('<I',0x100))+[65]*64)); ugm('str',A(STR,['abc']))
for i in range(6):
    rr=random.Random(900+i); ugm('fz%d'%i,A(U8,list(struct.pack('<I',512))+[rr.choice([0,1,255,rr.randrange(256)]) for _ in range(640)]))
for nm,t in(('neg',['<0x-1>']*40),('ok',['<0x%02X>'%i for i in range(256)]),('GG',['<0xGG>']*40),('big',['<0xFFF>']*40)):
    mut('plamo2_'+nm,'tokenizer','any','plamo2 byte tokens',withvocab('plamo2',['<unk>']+t,[2]+[6]*287))
for nm,t in(('badesc',["b'\\x'","'\\","b'\\xZZ'","'\\u12'"]),('unterminated',["'abc","b'","'","b"]),('empty',['','','']),('plain',['abc','def'])):
    mut('rwkv_'+nm,'tokenizer','any','RWKV escaped tokens',withvocab('rwkv',t*70))
mut('wpm_nounk','tokenizer','any','bert vocabulary without [UNK]/[CLS]',withvocab('bert',['a','b','##c']))
mut('wpm_ids_oor','tokenizer','any','bert cls/sep/unk out of range',withvocab('bert',['[UNK]','[CLS]','[SEP]','a','##b'],None,None,[(TG+'cls_token_id',U32,5000),(TG+'seperator_token_id',U32,M32-5),(TG+'unknown_token_id',U32,0x7ffffff0)]))
# ---------------------------------------------------------------- I chat templates
CT='tokenizer.chat_template'
TP={'empty':'','unclosed':'{% for m in messages %}','unclosed_expr':'{{ a','badtag':'{% import os %}','ssti_34359':"{% for x in ().__class__.__base__.__subclasses__() %}{% if 'warning' in x.__name__ %}{{x()._module.__builtins__['__import__']('os').popen('touch /tmp/pwned').read()}}{%endif%}{% endfor %}",
 'dunder':"{{ ''.__class__.__mro__ }}{{ self.__init__.__globals__ }}{{ cycler.__init__.__globals__.os }}",'range1e9':'{% for i in range(1000000000) %}{% endfor %}','range_out':'{% for i in range(100000000) %}AAAAAAAAAAAAAAAA{% endfor %}','range_neg':'{{ range(0,-9223372036854775807,-1)|length }}','range_step0':'{% for i in range(0,10,0) %}x{% endfor %}',
 'nested_loops':'{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}','recursion_macro':'{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}','recursion_mutual':'{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}','recursive_for':'{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}',
 'parens':'{{ '+'('*100000+'1'+')'*100000+' }}','brackets':'{{ '+'['*100000+']'*100000+' }}','braces':'{{ '+'{"a":'*50000+'1'+'}'*50000+' }}','nots':'{{ '+'not '*200000+'x }}','minus':'{{ '+'-'*200000+'1 }}','pow':'{{ '+'2**'*20000+'2 }}','attrs':'{{ a'+'.b'*100000+' }}','calls':'{{ a'+'()'*100000+' }}','filters':"{{ 'a'"+'|upper'*50000+' }}','adds':"{{ 'a'"+"+'a'"*100000+' }}','ifs':'{% if 1 %}'*50000+'{% endif %}'*50000,'fors':'{% for i in [1] %}'*20000+'{% endfor %}'*20000,'ternary':'{{ '+'1 if 1 else '*50000+'1 }}','strmul':"{{ 'A' * 10000000000 }}",'strmul_neg':"{{ 'A' * -1 }}",'listmul':'{{ ([1]*1000000000)|length }}','doubling':"{% set ns = namespace(s='A') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}",'intoverflow':'{{ 9223372036854775807 + 1 }}{{ 99999999999999999999999999 }}{{ -9223372036854775808 // -1 }}','div0':'{{ 1/0 }}{{ 1//0 }}{{ 1%0 }}','mod_min':'{{ (-9223372036854775807-1) % -1 }}','index_oob':"{{ messages[999999999999] }}{{ 'abc'[-100] }}",'slice':"{{ 'abc'[::0] }}{{ messages[5:2:-1] }}{{ 'x'[:9223372036854775807] }}",'undef_filter':'{{ 1|nosuch }}','undef_call':'{{ nosuch(1) }}','raise':"{{ raise_exception('no') }}",'tojson_cycle':'{% set ns = namespace() %}{% set ns.a = ns %}{{ ns|tojson }}','tojson_deep':'{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a|tojson }}','strftime':"{{ strftime_now('%'*10000) }}{{ strftime_now('%Q%n%E') }}",'indent':"{{ 'a'|indent(2000000000) }}",'center':"{{ 'a'|center(2000000000) }}",'replace':"{{ ('a'*100000)|replace('', 'b'*100000) }}",'nul':'a\0b{{ 1 }}','fmt':"{{ '%s%n' % 1 }}{{ '%999999999d'|format(1) }}",'big10mb':'{# '+'x'*(10<<20)+' #}','badutf8':b'{{ "\xff\xfe" }}\xc0\xaf','include':"{% include '/etc/passwd' %}{% extends '/etc/passwd' %}",'set_builtin':'{% set messages = 1 %}{% set range = 2 %}{{ range(1) }}','split_empty':"{{ 'abc'.split('') }}",'unicode_ctrl':'{{ "\u202e\ufeff" }}'}
for k,v in TP.items(): kvset('tpl_'+k,'template','any','chat template: '+k,CT,STR,v)
kvset('tpl_type_u32','template','any','template is u32',CT,U32,7)
kvset('tpl_type_arr','template','any','template is an array',CT,ARR,A(STR,['a','b']))
kvset('tpl_multi_garbage','template','any','tokenizer.chat_templates names without bodies','tokenizer.chat_templates',ARR,A(STR,['default','../../x','']))
# ---------------------------------------------------------------- J weight data
for md in('nan','inf','huge','denorm'): case('data_%s_f32'%md,'data','any','all matrices %s'%md,lambda md=md:base(mode=md).ser())
case('data_nan_f16','data','any','F16 NaN',lambda:base(typ='F16',mode='nan').ser())
for ty in('Q4_0','Q8_0'): case('data_ff_'+ty,'data','any','0xff blocks (NaN scales)',lambda ty=ty:base(typ=ty,mode='allff').ser())
for ty in('Q4_K','Q6_K','IQ2_XXS','IQ1_S'): case('data_ff_'+ty,'data','any','0xff blocks (NaN scales, max grid index)',lambda ty=ty:base(e=256,ff=256,layers=1,typ=ty,mode='allff').ser())
for ty in('IQ2_XXS','IQ1_S'): case('data_rand_'+ty,'data','accept','random but valid blocks',lambda ty=ty:base(e=256,ff=256,layers=1,typ=ty).ser())
# ---------------------------------------------------------------- K algorithmic complexity (linear-size files)
mut('quad_keys_20k','complexity','any','20k distinct keys',lambda m:m.kv.extend([['k%07d'%i,U8,1] for i in range(20000)]))
mut('quad_keys_150k','complexity','any','150k distinct keys, 4 MB file (quadratic duplicate check?)',lambda m:m.kv.extend([['k%07d'%i,U8,1] for i in range(150000)]))
mut('quad_tensors_60k','complexity','any','60k empty-ish tensors (quadratic duplicate check?)',lambda m:m.ts.extend([T('x%07d'%i,[1],'F32',b'\0\0\0\0') for i in range(60000)]))
mut('arr_1m_strings','complexity','any','1M one-byte strings, 9 MB',lambda m:m.kv.append(['x.s',ARR,A(STR,[],n=1000000,raw=(struct.pack('<Q',1)+b'a')*1000000)]))
mut('arr_1m_empty_strings','complexity','any','1M empty strings, 8 MB (memory amplification)',lambda m:m.kv.append(['x.s',ARR,A(STR,[],n=1000000,raw=b'\0'*8000000)]))
# ---------------------------------------------------------------- L arch confusion: llama tensors under another architecture name
for a in('gpt2','bert','t5','mamba','rwkv6','falcon','gemma','qwen2','qwen2vl','phi3','deepseek2','mamba2','jamba','granite','cohere2','gemma3n','clip','whisper','gptneox','bloom','chameleon','wavtokenizer-dec','lfm2','gpt-oss','minimax-m2','nemotron_h','plamo2','kimi-linear','afmoe','grok','dbrx','command-r','starcoder','mpt','arctic','t5encoder','jina-bert-v2','qwen3next','apertus','bitnet','deci','exaone4','smollm3','step35','llada','dream'):
    case('arch_as_%s'%a,'arch-confusion','any','llama tensors declared as '+a,lambda a=a:base(arch=a).ser())
def archhp(a):
    for k,v in(('attention.head_count',0),('attention.head_count_kv',0),('embedding_length',0),('block_count',M32)):
        mut('arch_%s_%s_%x'%(a,k.split('.')[-1],v),'arch-confusion','any','%s with %s=%d'%(a,k,v),lambda m,k=k,v=v:m.set(a+'.'+k,U32,v),lambda:base(arch=a))
for a in('gpt2','qwen2','gemma3','mamba','deepseek2','phi3','falcon','deci','starcoder2','rwkv7'): archhp(a)

def flips(n):
    m=B(); b=m.ser(); end=dict(m.marks)['data']
    for i in range(n):
        r=random.Random(1000003*7+i); x=bytearray(b); k=r.choice((1,1,1,2,4,16))
        for _ in range(k):
            p=r.randrange(4,end)
            # bias towards the structural parts instead of the vocabulary bytes
            if r.random()<.6: nm,off=r.choice([q for q in MARKS if q[0] not in('end','data','infos_end','magic')]); p=min(off+r.randrange(8),end-1)
            md=r.random()
            if md<.4: x[p]^=1<<r.randrange(8)
            elif md<.7: x[p]=r.choice((0,1,0x7f,0x80,0xff,r.randrange(256)))
            else:
                v=struct.pack('<Q',r.choice((0,1,M64,1<<63,(1<<63)-1,1<<32,M32,1<<31,0x7fffffff,len(b),r.getrandbits(64))))[:r.choice((1,2,4,8))]
                x[p:p+len(v)]=v
        yield 'flip_%05d'%i,bytes(x)

def main():
    a=sys.argv[1:]; nf=0; only=None
    if '--flips' in a: i=a.index('--flips'); nf=int(a[i+1]); del a[i:i+2]
    if '--only' in a: i=a.index('--only'); only=a[i+1]; del a[i:i+2]
    if '--list' in a:
        for c in CASES: print('\t'.join(c[:4]))
        return
    if not a: sys.exit(__doc__)
    out=a[0]; os.makedirs(out,exist_ok=True); names=set()
    with open(os.path.join(out,'manifest.tsv'),'w') as mf:
        mf.write('name\tcategory\texpect\tbytes\tnote\n')
        for nm,cat,exp,note,th in CASES:
            if only and only not in nm: continue
            assert nm not in names and '/' not in nm,nm
            names.add(nm); d=th()
            open(os.path.join(out,nm+'.gguf'),'wb').write(d)
            mf.write('%s\t%s\t%s\t%d\t%s\n'%(nm,cat,exp,len(d),note.replace('\t',' ').replace('\n',' ')))
        for nm,d in flips(nf):
            open(os.path.join(out,nm+'.gguf'),'wb').write(d); mf.write('%s\tflip\tany\t%d\tseeded random mutation of the header\n'%(nm,len(d))); names.add(nm)
    print(len(names),'files in',out)
if __name__=='__main__': main()
