// Plain loops for every op, until the SIMD kernels land.
#include <cmath>
#include <vector>
#include <algorithm>
#include <cstring>
#include <numeric>
#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/ssd.h"
namespace tandem {
using i64=std::int64_t;
struct PackedMatrix::State{ std::vector<float> w; i64 o=0,i=0; };
PackedMatrix::PackedMatrix()=default; PackedMatrix::~PackedMatrix()=default; PackedMatrix::PackedMatrix(PackedMatrix&&)noexcept=default; PackedMatrix& PackedMatrix::operator=(PackedMatrix&&)noexcept=default;
PackedMatrix PackedMatrix::pack(Context&,TensorView w,DType){PackedMatrix p;p.state_=std::make_unique<State>();p.state_->o=w.extent(0);p.state_->i=w.extent(1);p.state_->w.assign(w.f32(),w.f32()+w.elements());return p;}
i64 PackedMatrix::out()const{return state_->o;} i64 PackedMatrix::in()const{return state_->i;} DType PackedMatrix::dtype()const{return DType::F32;} i64 PackedMatrix::bytes()const{return i64(state_->w.size())*4;}
void linear(Context&,TensorView x,const PackedMatrix&w,TensorView y,bool acc){for(i64 r=0;r<x.extent(0);++r)for(i64 o=0;o<w.out();++o){double s=0;for(i64 i=0;i<w.in();++i)s+=double(x.row(r)[i])*w.state().w[o*w.in()+i];if(acc)y.row(r)[o]+=float(s);else y.row(r)[o]=float(s);}}
void rms_norm(Context&,TensorView x,TensorView w,float eps,TensorView y){for(i64 r=0;r<x.extent(0);++r){double s=0;i64 C=x.extent(1);for(i64 c=0;c<C;++c)s+=double(x.row(r)[c])*x.row(r)[c];float k=float(1/std::sqrt(s/C+eps));for(i64 c=0;c<C;++c)y.row(r)[c]=x.row(r)[c]*k*w.f32()[c];}}
static float silu(float v){return v/(1+std::exp(-v));}
static float sp(float x){return std::max(x,0.f)+std::log1p(std::exp(-std::fabs(x)));}
void gated_group_norm(Context&,TensorView y,TensorView z,TensorView w,i64 g,float eps){for(i64 r=0;r<y.extent(0);++r)for(i64 b=0;b<y.extent(1);b+=g){double s=0;for(i64 c=b;c<b+g;++c){y.row(r)[c]*=silu(z.row(r)[c]);s+=double(y.row(r)[c])*y.row(r)[c];}float k=float(1/std::sqrt(s/g+eps));for(i64 c=b;c<b+g;++c)y.row(r)[c]*=k*w.f32()[c];}}
void swiglu(Context&,TensorView g,TensorView u,TensorView o){for(i64 r=0;r<g.extent(0);++r)for(i64 c=0;c<g.extent(1);++c)o.row(r)[c]=silu(g.row(r)[c])*u.row(r)[c];}
void silu_gate(Context&,TensorView y,TensorView z,TensorView b){for(i64 r=0;r<y.extent(0);++r)for(i64 c=0;c<y.extent(1);++c)y.row(r)[c]*=silu(z.row(r)[c]+b.f32()[c]);}
void discrete_log_decay(Context&,TensorView a,TensorView l){for(i64 r=0;r<a.extent(0);++r)for(i64 c=0;c<a.extent(1);++c)l.row(r)[c]=-sp(a.row(r)[c]);}
void stepped_log_decay(Context&,TensorView d,TensorView b,TensorView a,TensorView dt,TensorView l){for(i64 r=0;r<d.extent(0);++r)for(i64 c=0;c<d.extent(1);++c){dt.row(r)[c]=sp(d.row(r)[c]+b.f32()[c]);l.row(r)[c]=-dt.row(r)[c]*std::exp(a.f32()[c]);}}
void add(Context&,TensorView x,TensorView y){for(i64 r=0;r<x.extent(0);++r)for(i64 c=0;c<x.extent(1);++c)y.row(r)[c]+=x.row(r)[c];}
void rope(Context&,TensorView x,i64 H,std::span<const std::int32_t> p,std::span<const float> f){i64 D=x.extent(1)/H;for(i64 r=0;r<x.extent(0);++r)for(i64 h=0;h<H;++h)for(i64 m=0;m<D/2;++m){float t=float(p[r])*f[m];float*v=x.row(r)+h*D;float a=v[m],b=v[m+D/2];v[m]=a*std::cos(t)-b*std::sin(t);v[m+D/2]=b*std::cos(t)+a*std::sin(t);}}
static void soft(std::vector<double>&s){double m=*std::max_element(s.begin(),s.end()),t=0;for(auto&v:s){v=std::exp(v-m);t+=v;}for(auto&v:s)v/=t;}
void causal_attention(Context&,TensorView q,TensorView k,TensorView v,i64 H,i64 K,float sc,TensorView o){i64 D=q.extent(1)/H;for(i64 t=0;t<q.extent(0);++t)for(i64 h=0;h<H;++h){i64 g=h/(H/K);std::vector<double>s(t+1);for(i64 j=0;j<=t;++j){double d=0;for(i64 e=0;e<D;++e)d+=double(q.row(t)[h*D+e])*k.row(j)[g*D+e];s[j]=d*sc;}soft(s);for(i64 e=0;e<D;++e){double a=0;for(i64 j=0;j<=t;++j)a+=s[j]*v.row(j)[g*D+e];o.row(t)[h*D+e]=float(a);}}}
void decode_attention(Context&,TensorView q,const SharedPrefix&p,std::span<const SuffixCache> sx,i64 H,i64 K,float sc,TensorView o){i64 D=q.extent(1)/H;for(i64 b=0;b<q.extent(0);++b)for(i64 h=0;h<H;++h){i64 g=h/(H/K);i64 P=p.keys.empty()?0:p.keys.extent(1);const auto&s=sx[b];auto kk=[&](i64 j){return j<P?p.keys.f32()+(g*P+j)*D:s.keys+(g*s.capacity+j-P)*D;};auto vv=[&](i64 j){return j<P?p.values.f32()+(g*P+j)*D:s.values+(g*s.capacity+j-P)*D;};i64 n=P+s.length;std::vector<double>w(n);for(i64 j=0;j<n;++j){double d=0;for(i64 e=0;e<D;++e)d+=double(q.row(b)[h*D+e])*kk(j)[e];w[j]=d*sc;}soft(w);for(i64 e=0;e<D;++e){double a=0;for(i64 j=0;j<n;++j)a+=w[j]*vv(j)[e];o.row(b)[h*D+e]=float(a);}}}
void attention_matrix(Context&,TensorView q,TensorView k,i64 H,i64 K,float sc,std::span<const i64> hs,TensorView m){i64 D=q.extent(1)/H,T=q.extent(0);for(size_t x=0;x<hs.size();++x)for(i64 t=0;t<T;++t){i64 h=hs[x],g=h/(H/K);std::vector<double>s(t+1);for(i64 j=0;j<=t;++j){double d=0;for(i64 e=0;e<D;++e)d+=double(q.row(t)[h*D+e])*k.row(j)[g*D+e];s[j]=d*sc;}soft(s);for(i64 j=0;j<=t;++j)m.f32()[(i64(x)*T+t)*T+j]=float(s[j]);}}
void causal_conv(Context&,TensorView x,TensorView w,TensorView b,ConvActivation a,TensorView win,TensorView y){i64 W=w.extent(1),C=w.extent(0),T=x.extent(0);std::vector<float>in((T+W-1)*C);std::memcpy(in.data(),win.f32(),(W-1)*C*4);for(i64 t=0;t<T;++t)std::memcpy(&in[(t+W-1)*C],x.row(t),C*4);for(i64 t=0;t<T;++t)for(i64 c=0;c<C;++c){double s=b.f32()[c];for(i64 k=0;k<W;++k)s+=double(w.f32()[c*W+k])*in[(t+k)*C+c];y.row(t)[c]=a==ConvActivation::Silu?silu(float(s)):float(s);}std::memcpy(win.f32(),&in[T*C],(W-1)*C*4);}
void causal_conv_step(Context&c,TensorView x,TensorView w,TensorView b,ConvActivation a,std::span<float*const>ws,TensorView y){for(i64 r=0;r<x.extent(0);++r)causal_conv(c,x.rows(r,1),w,b,a,TensorView(ws[r],{w.extent(1)-1,w.extent(0)}),y.rows(r,1));}
static void one(const SsdOperands&o,i64 r,float*S,float*y){i64 H=o.nheads,P=o.headdim,N=o.dstate;for(i64 h=0;h<H;++h){float a=std::exp(o.log_decay.row(r)[h]),d=o.dt.empty()?1:o.dt.row(r)[h];const float*x=o.x.row(r)+h/(H/o.x_heads)*P,*B=o.b.row(r)+h/(H/o.b_heads)*N,*C=o.c.row(r)+h/(H/o.c_heads)*N;for(i64 p=0;p<P;++p){double s=0;for(i64 n=0;n<N;++n){float&v=S[(h*P+p)*N+n];v=a*v+d*x[p]*B[n];s+=double(v)*C[n];}y[h*P+p]=float(s+o.skip.f32()[h]*x[p]);}}}
void ssd_step(Context&,const SsdOperands&o,std::span<float*const>st,TensorView y){for(size_t r=0;r<st.size();++r)one(o,i64(r),st[r],y.row(i64(r)));}
void ssd_scan(Context&,const SsdOperands&o,TensorView st,i64,TensorView y){for(i64 r=0;r<o.x.extent(0);++r)one(o,r,st.f32(),y.row(r));}
void ssd_matrix(Context&,const SsdOperands&o,std::span<const i64>hs,TensorView L,TensorView Ct,TensorView m){i64 T=o.x.extent(0),H=o.nheads,N=o.dstate;for(size_t x=0;x<hs.size();++x)for(i64 i=0;i<T;++i){double s=0;for(i64 j=i;j>=0;--j){i64 h=hs[x],at=(i64(x)*T+i)*T+j;double c=0;for(i64 n=0;n<N;++n)c+=double(o.c.row(i)[h/(H/o.c_heads)*N+n])*o.b.row(j)[h/(H/o.b_heads)*N+n];if(!o.dt.empty())c*=o.dt.row(j)[h];L.f32()[at]=float(std::exp(s));Ct.f32()[at]=float(c);m.f32()[at]=L.f32()[at]*Ct.f32()[at];s+=o.log_decay.row(j)[h];}}}
void sample(Context&,TensorView l,i64 V,const SamplingRule&r,std::span<const float>u,std::span<std::int32_t>t,std::span<float>lp){for(i64 b=0;b<l.extent(0);++b){const float*x=l.row(b);double m=-1e30;i64 best=0;for(i64 v=0;v<V;++v)if(x[v]>m){m=x[v];best=v;}double s=0,st=0;for(i64 v=0;v<V;++v){s+=std::exp(x[v]-m);if(r.temperature>0)st+=std::exp((x[v]-m)/r.temperature);}i64 k=best;if(r.temperature>0){double c=0;for(k=0;k<V-1;++k){c+=std::exp((x[k]-m)/r.temperature)/st;if(c>u[b])break;}}t[b]=int(k);lp[b]=float(x[k]-m-std::log(s));}}
}
