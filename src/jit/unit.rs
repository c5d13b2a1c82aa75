//! Compiled code and what it needs to stay valid: the cranelift module, the sites, the kernels.
//!
//! A unit grows as functions are asked for; nothing is ever recompiled or freed before the unit is.

use cranelift::codegen::Context;
use cranelift::codegen::control::ControlPlane;
use cranelift::codegen::ir::{FuncRef, UserFuncName};
use cranelift::codegen::isa::OwnedTargetIsa;
use cranelift::jit::{JITBuilder, JITModule};
use cranelift::module::{FuncId as Compiled, Linkage, Module as _, default_libcall_names};
use cranelift::prelude::*;
use std::collections::{BTreeMap, HashMap};

use crate::base::kernel::Kernel;
use crate::base::span::Span;
use crate::exec::{DEPTH_LIMIT, graph, internal};
use crate::ir::{FuncId, Module};
use crate::rt::elementwise::TileFn;
use crate::rt::error::Result;

use super::state::{Action, Site};
use super::table::{self, Shape};
use super::{func, kernel};

/// The machine code of functions: state and frame base in, status out.
// SAFETY: called with a state made for the unit, and a frame that lies inside its slots (see `jit::Entry`).
pub type Native = unsafe extern "C" fn(*mut super::state::State<'_>, i64) -> i32;

pub struct Unit {
    /// Always there; taken only when the unit is dropped.
    module: Option<JITModule>,
    isa: OwnedTargetIsa,
    /// Compile tests for NaN and infinity after float operations?
    pub check_finite: bool,
    pub sites: Vec<Site>,
    /// Enough exchange cells for every site and every call.
    pub cells: usize,
    /// Machine code of kernels by number; filled when a batch of functions is finished.
    pub kernels: Vec<Option<TileFn>>,
    kernel_numbers: HashMap<Kernel, Option<usize>>,
    /// Kernels whose addresses are not known yet, and whether their code is one loop.
    waiting: Vec<(usize, Compiled, bool)>,
    imports: BTreeMap<&'static str, Compiled>,
    functions: BTreeMap<FuncId, Entry>,
    /// Functions that were called from outside, ready.
    ready: BTreeMap<FuncId, Ready>,
    /// Bytes of machine stack that the largest frame of a function needs.
    largest_frame: usize,
}

/// What a call from outside has to know about a function.
#[derive(Clone, Copy)]
pub struct Ready {
    pub native: Native,
    pub slots: u32,
    /// Bytes of machine stack that the deepest chain of calls needs.
    pub stack: usize,
}

/// A function of the IR in this unit.
#[derive(Clone, Copy)]
struct Entry {
    code: Compiled,
    defined: bool,
}

impl Unit {
    pub fn new(check_finite: bool) -> Result<Unit> {
        let isa = host()?;
        let mut builder = JITBuilder::with_isa(isa.clone(), default_libcall_names());
        builder.symbols(table::table().iter().map(|entry| (entry.name, entry.address)));
        Ok(Unit {
            module: Some(JITModule::new(builder)),
            isa,
            check_finite,
            sites: Vec::new(),
            cells: 8,
            kernels: Vec::new(),
            kernel_numbers: HashMap::new(),
            waiting: Vec::new(),
            imports: BTreeMap::new(),
            functions: BTreeMap::new(),
            ready: BTreeMap::new(),
            largest_frame: 0,
        })
    }

    fn inner(&mut self) -> Result<&mut JITModule> {
        self.module.as_mut().ok_or_else(|| internal("the unit of machine code is gone"))
    }

    /// Compiles a function and everything it reaches, as far as that is not done yet.
    pub fn ready(&mut self, module: &Module, func: FuncId) -> Result<Ready> {
        if let Some(&ready) = self.ready.get(&func) {
            return Ok(ready);
        }
        let reachable = graph::reachable(module, func);
        let mut scratch = FunctionBuilderContext::new();
        for &id in &reachable {
            let entry = self.declare(id)?;
            if entry.defined {
                continue;
            }
            let mut context = self.inner()?.make_context();
            func::lower(self, module, id, &mut context, &mut scratch)?;
            let frame = self.define(entry.code, &mut context)?;
            self.largest_frame = self.largest_frame.max(frame);
            self.functions.insert(id, Entry { defined: true, ..entry });
        }
        self.finish()?;
        let depth = if graph::is_recursive(module, func) { DEPTH_LIMIT as usize + 1 } else { reachable.len() };
        let ready = Ready {
            native: self.native(func)?,
            slots: func::slots(module.function(func)).count,
            stack: depth * self.largest_frame,
        };
        self.ready.insert(func, ready);
        Ok(ready)
    }

    /// The text of one function: CLIF, or the machine's own assembly.
    pub fn text(&mut self, module: &Module, func: FuncId, asm: bool) -> Result<String> {
        let mut context = self.inner()?.make_context();
        func::lower(self, module, func, &mut context, &mut FunctionBuilderContext::new())?;
        if !asm {
            return Ok(format!("{}{}", self.legend(), context.func.display()));
        }
        context.set_disasm(true);
        let isa = self.isa.clone();
        let compiled = context
            .compile(&*isa, &mut ControlPlane::default())
            .map_err(|fault| internal(format!("cranelift: {:?}", fault.inner)))?;
        Ok(compiled.vcode.clone().unwrap_or_default())
    }

    /// What the numbers in a dump mean: functions by their cranelift names, sites by their numbers.
    fn legend(&self) -> String {
        let imports = self.imports.iter().map(|(name, id)| (id.as_u32(), name.to_string()));
        let mut names: Vec<(u32, String)> = imports.collect();
        names.extend(self.functions.iter().map(|(func, entry)| (entry.code.as_u32(), format!("function {}", func.0))));
        names.sort();
        let mut text = String::new();
        for (number, name) in names {
            text.push_str(&format!("; u0:{number} is {name}\n"));
        }
        for (number, site) in self.sites.iter().enumerate() {
            text.push_str(&format!("; site {number} at {}: {}\n", site.span.start, site.action));
        }
        text
    }

    /// The address of a compiled function.
    fn native(&mut self, func: FuncId) -> Result<Native> {
        let entry = self.functions.get(&func).copied().filter(|entry| entry.defined);
        let entry = entry.ok_or_else(|| internal("a function was not compiled"))?;
        let address = self.inner()?.get_finalized_function(entry.code);
        // SAFETY: every function of a unit is declared with the signature of `Native` (see `declare`).
        Ok(unsafe { std::mem::transmute::<*const u8, Native>(address) })
    }

    /// The declaration of a function of the IR.
    fn declare(&mut self, func: FuncId) -> Result<Entry> {
        if let Some(entry) = self.functions.get(&func) {
            return Ok(*entry);
        }
        let inner = self.inner()?;
        let signature = function_signature(inner);
        let code =
            inner.declare_function(&format!("function_{}", func.0), Linkage::Local, &signature).map_err(refused)?;
        let entry = Entry { code, defined: false };
        self.functions.insert(func, entry);
        Ok(entry)
    }

    /// A reference, inside the function being built, to another function of the IR.
    pub fn function_ref(&mut self, func: FuncId, target: &mut codegen::ir::Function) -> Result<FuncRef> {
        let entry = self.declare(func)?;
        Ok(self.inner()?.declare_func_in_func(entry.code, target))
    }

    /// A reference to an entry of the table.
    pub fn import_ref(&mut self, name: &'static str, target: &mut codegen::ir::Function) -> Result<FuncRef> {
        let id = match self.imports.get(name) {
            Some(&id) => id,
            None => {
                let entry = table::table().into_iter().find(|entry| entry.name == name);
                let entry = entry.ok_or_else(|| internal(format!("the table has no entry `{name}`")))?;
                let inner = self.inner()?;
                let signature = import_signature(inner, entry.shape);
                let id = inner.declare_function(name, Linkage::Import, &signature).map_err(refused)?;
                self.imports.insert(name, id);
                id
            }
        };
        Ok(self.inner()?.declare_func_in_func(id, target))
    }

    pub fn signature(&mut self) -> Result<Signature> {
        Ok(function_signature(self.inner()?))
    }

    /// The signature of code for tiles: elements, input pointers, output pointers.
    pub fn tile_signature(&mut self) -> Result<Signature> {
        let mut signature = self.inner()?.make_signature();
        signature.params.extend([AbiParam::new(types::I64); 3]);
        Ok(signature)
    }

    pub fn target_config(&self) -> isa::TargetFrontendConfig {
        self.isa.frontend_config()
    }

    /// A new site; its number goes into the machine code.
    pub fn site(&mut self, span: Span, action: Action) -> i64 {
        self.cells = self.cells.max(action.cells());
        self.sites.push(Site { span, action });
        self.sites.len() as i64 - 1
    }

    /// The number of a kernel's machine code; `None` if it is left to the interpreter.
    pub fn kernel(&mut self, kernel: &Kernel) -> Result<Option<usize>> {
        if let Some(&number) = self.kernel_numbers.get(kernel) {
            return Ok(number);
        }
        let number = match kernel::supported(kernel) {
            false => None,
            true => Some(self.compile_kernel(kernel)?),
        };
        self.kernel_numbers.insert(kernel.clone(), number);
        Ok(number)
    }

    fn compile_kernel(&mut self, kernel: &Kernel) -> Result<usize> {
        let number = self.kernels.len();
        let mut context = self.inner()?.make_context();
        kernel::lower(self, kernel, &mut context, &mut FunctionBuilderContext::new())?;
        let signature = context.func.signature.clone();
        let name = format!("kernel_{number}");
        let code = self.inner()?.declare_function(&name, Linkage::Local, &signature).map_err(refused)?;
        self.define(code, &mut context)?;
        self.kernels.push(None);
        self.waiting.push((number, code, kernel::is_one_loop(kernel)));
        Ok(number)
    }

    /// Adds finished CLIF to the module; gives the bytes of its frame.
    fn define(&mut self, code: Compiled, context: &mut Context) -> Result<usize> {
        context.func.name = UserFuncName::user(0, code.as_u32());
        self.inner()?.define_function(code, context).map_err(refused)?;
        let layout = context.compiled_code().and_then(|compiled| compiled.buffer.frame_layout());
        let frame = layout.map_or(0, |layout| layout.frame_to_fp_offset as usize);
        self.inner()?.clear_context(context);
        // Saved registers and the return address come on top.
        Ok(frame + 128)
    }

    fn finish(&mut self) -> Result<()> {
        self.inner()?.finalize_definitions().map_err(refused)?;
        for (number, code, in_order) in std::mem::take(&mut self.waiting) {
            let address = self.inner()?.get_finalized_function(code);
            // SAFETY: kernels are declared with the signature of a tile function (see `kernel::lower`), and the
            // unit outlives every use of its code.
            self.kernels[number] = Some(unsafe { kernel::tile_function(address, in_order) });
        }
        Ok(())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: code runs only inside calls that borrow the unit, so none runs now.
            unsafe { module.free_memory() };
        }
    }
}

fn refused(fault: cranelift::module::ModuleError) -> crate::rt::error::Error {
    internal(format!("cranelift: {fault}"))
}

/// The machine we run on, tuned for speed, with cranelift's own verifier in debug builds.
pub fn host() -> Result<OwnedTargetIsa> {
    let mut flags = settings::builder();
    let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
    let wanted = [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", verifier),
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        ("unwind_info", "false"),
    ];
    for (name, value) in wanted {
        flags.set(name, value).map_err(|fault| internal(format!("cranelift setting {name}: {fault}")))?;
    }
    let builder = cranelift::native::builder().map_err(|fault| internal(format!("cranelift: {fault}")))?;
    builder.finish(settings::Flags::new(flags)).map_err(|fault| internal(format!("cranelift: {fault}")))
}

fn function_signature(module: &JITModule) -> Signature {
    let mut signature = module.make_signature();
    signature.params.push(AbiParam::new(types::I64));
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

fn import_signature(module: &JITModule, shape: Shape) -> Signature {
    let (params, result) = match shape {
        Shape::Step => (vec![types::I64; 3], Some(types::I32)),
        Shape::Scalar(dtype, arity) => (vec![func::machine(dtype); arity], Some(func::machine(dtype))),
        Shape::Tile => (vec![types::I64; 2], None),
    };
    let mut signature = module.make_signature();
    signature.params.extend(params.into_iter().map(AbiParam::new));
    signature.returns.extend(result.map(AbiParam::new));
    signature
}
