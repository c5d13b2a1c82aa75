//! From tensors to points: which axis runs along x, which makes the series, and that every number is finite.

use super::super::error::{Error, Result, code};
use super::super::format::{range, significant};
use super::super::tensor::{Dim, Origin, Tensor, size_mismatch};
use super::super::value::{Value, room};
use super::fields::{Fields, Kind, fault};
use super::{Figure, Grid, Marks, Series};
use crate::base::axis::Axis;

/// More lines than this tell nothing.
const MAX_SERIES: usize = 100;
/// More bars than this are thinner than a pixel.
const MAX_BARS: usize = 2000;

/// More marks than this are more than a page has points; a browser would not open them.
const MAX_MARKS: usize = 500_000;

pub fn figure(fields: &Fields) -> Result<Figure> {
    let marks = marks(fields.y);
    if marks > MAX_MARKS && fields.kind != Kind::Histogram {
        return Err(fault(format!("a plot of {marks} numbers cannot be read; {MAX_MARKS} is the limit"))
            .help("draw some of them, or a histogram"));
    }
    // A histogram looks at its numbers in 64 bits, and sorts out where they belong.
    room(marks.saturating_mul(2 * size_of::<f64>()), "the numbers of a plot")?;
    let mut figure = Figure {
        title: fields.title.clone(),
        xlabel: fields.xlabel.clone().unwrap_or_else(|| match fields.x {
            Some(Value::Str(axis)) => axis.to_string(),
            _ => String::new(),
        }),
        ylabel: fields.ylabel.clone().unwrap_or_default(),
        log: fields.log,
        marks: Marks::Lines(Vec::new()),
    };
    figure.marks = match fields.kind {
        Kind::Heatmap => heatmap(fields, &mut figure)?,
        Kind::Histogram => histogram(fields, &mut figure)?,
        _ => {
            let mut series = series(fields, &mut figure)?;
            let names = use_labels(fields, &mut series)?;
            check_log(fields, series.iter().flat_map(|one| &one.y))?;
            match fields.kind {
                Kind::Lines => Marks::Lines(series),
                Kind::Bars => bars(fields, series, names)?,
                _ => Marks::Scatter(series),
            }
        }
    };
    Ok(figure)
}

/// How many numbers a value holds.
fn marks(y: &Value) -> usize {
    match y {
        Value::Tensor(tensor) => tensor.elements(),
        Value::List(items) => items.iter().map(marks).fold(0, usize::saturating_add),
        _ => 1,
    }
}

/// The points of lines, bars and scatter plots.
fn series(fields: &Fields, figure: &mut Figure) -> Result<Vec<Series>> {
    let Value::List(items) = fields.y else {
        return split_series(fields, &tensor_of(fields.y, "y")?, figure);
    };
    if items.iter().all(|item| scalar(item).is_some()) {
        let y: Vec<f64> = items.iter().filter_map(scalar).collect();
        return Ok(vec![listed(fields, y)?]);
    }
    let mut all = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let mut own = split_series(fields, &tensor_of(item, "y")?, figure)?;
        if let [only] = &mut own[..] {
            only.label = number.to_string();
        }
        all.append(&mut own);
    }
    check_series(all)
}

/// A plain list of numbers as one series.
fn listed(fields: &Fields, y: Vec<f64>) -> Result<Series> {
    let x = match fields.x {
        Some(Value::List(items)) => items.iter().filter_map(scalar).collect(),
        _ => (0..y.len()).map(|i| i as f64).collect::<Vec<f64>>(),
    };
    if x.len() != y.len() {
        return Err(fault(format!("a plot of {} numbers `y` over {} numbers `x`", y.len(), x.len())));
    }
    if let Some(bad) = x.iter().chain(&y).find(|number| !number.is_finite()) {
        return Err(not_finite("a list", *bad, String::new()));
    }
    check_series(vec![Series { label: String::new(), x, y }]).map(|mut one| one.remove(0))
}

fn check_series(all: Vec<Series>) -> Result<Vec<Series>> {
    if all.iter().all(|one| one.y.is_empty()) {
        return Err(fault("a plot of nothing: `y` has no elements"));
    }
    if all.len() > MAX_SERIES {
        return Err(fault(format!("a plot of {} series cannot be read; {MAX_SERIES} is the limit", all.len()))
            .help("choose some: y: x[axis -> some: 0..8], by: some"));
    }
    Ok(all)
}

fn split_series(fields: &Fields, y: &Tensor, figure: &mut Figure) -> Result<Vec<Series>> {
    let along = match fields.x {
        Some(Value::Str(name)) => Some(axis_named(y, name, "x")?),
        Some(Value::Tensor(x)) if x.rank() == 1 && fields.kind != Kind::Scatter => {
            Some(axis_named(y, &x.dims[0].axis.shown(), "x")?)
        }
        _ => None,
    };
    let by = fields.by.map(|name| axis_named(y, name, "by")).transpose()?;
    let mut rest: Vec<Axis> = y.dims.iter().map(|dim| dim.axis).filter(|&axis| Some(axis) != by).collect();
    let mut by = by;
    if fields.kind != Kind::Scatter {
        if let (Some(along), None, [first, second]) = (along, by, &rest[..]) {
            // One axis is left over and can only make the series.
            by = Some(if *first == along { *second } else { *first });
            rest = vec![along];
        }
        if rest.len() != 1 || along.is_some_and(|along| along != rest[0]) {
            return Err(unused_axes(y, along, by));
        }
        if figure.xlabel.is_empty() && fields.xlabel.is_none() && fields.x.is_none() {
            figure.xlabel = rest[0].shown();
        }
    }
    let order: Vec<Axis> = by.iter().copied().chain(rest).collect();
    let ys = finite(y, &order, "y")?;
    let xs = match fields.x {
        Some(Value::Tensor(x)) => finite(&spread(x, y, &order)?, &order, "x")?,
        Some(Value::Str(_)) | None => Vec::new(),
        Some(_) => return Err(fault("the field `x` of a plot is an axis of `y` or a tensor over its axes")),
    };
    let count = by.map_or(Ok(1), |axis| y.len(axis))?;
    check_series(cut(&xs, &ys, count, by))
}

/// Cuts the points into `count` series of equal length.
fn cut(xs: &[f64], ys: &[f64], count: usize, by: Option<Axis>) -> Vec<Series> {
    let length = ys.len() / count.max(1);
    let one = |number: usize| {
        let part = number * length..(number + 1) * length;
        let x = match xs.get(part.clone()) {
            Some(own) if !xs.is_empty() => own.to_vec(),
            _ => (0..length).map(|i| i as f64).collect(),
        };
        let label = by.map(|axis| format!("{axis} {number}")).unwrap_or_default();
        Series { label, x, y: ys[part].to_vec() }
    };
    (0..count).map(one).collect()
}

fn unused_axes(y: &Tensor, along: Option<Axis>, by: Option<Axis>) -> Error {
    let used = |axis: &Axis| Some(*axis) == along || Some(*axis) == by;
    let unused: Vec<String> =
        y.dims.iter().map(|dim| dim.axis).filter(|axis| !used(axis)).map(|axis| axis.shown()).collect();
    let error = match unused.is_empty() {
        true => fault("the fields `x` and `by` of a plot name the same axis"),
        false => fault(format!("a plot does not say what to do with the axes [{}] of `y`", unused.join(", "))),
    };
    error
        .note("found", format!("y over [{}]", y.axes_shown()))
        .help("one axis runs along `x`, one may make series with `by`; reduce the others, or select from them")
}

/// `x` with the axes of `y`, repeated along those that it does not have.
fn spread(x: &Tensor, y: &Tensor, order: &[Axis]) -> Result<Tensor> {
    if let Some(dim) = x.dims.iter().find(|dim| y.dim(dim.axis).is_none()) {
        return Err(fault(format!("the `x` of a plot has the axis `{}`, which its `y` lacks", dim.axis)));
    }
    let mut dims = Vec::new();
    for &axis in order {
        let len = y.len(axis)?;
        dims.push(match (x.dim(axis), y.dim(axis)) {
            (Some(own), Some(other)) if own.len != len => return Err(size_mismatch(axis, own, other)),
            (Some(own), _) => *own,
            (None, _) => Dim { axis, len, stride: 0, origin: Origin(0) },
        });
    }
    Ok(Tensor { dims, offset: x.offset, buffer: x.buffer.clone() })
}

fn axis_named(y: &Tensor, name: &str, field: &str) -> Result<Axis> {
    y.dims.iter().map(|dim| dim.axis).find(|axis| axis.shown() == name).ok_or_else(|| {
        fault(format!("the `{field}` of a plot is `{name}`, but its `y` has no such axis"))
            .note("found", format!("y over [{}]", y.axes_shown()))
    })
}

fn scalar(value: &Value) -> Option<f64> {
    match value {
        Value::Int(x) => Some(*x as f64),
        Value::F32(x) => Some(*x as f64),
        Value::F64(x) => Some(*x),
        _ => None,
    }
}

fn tensor_of(value: &Value, field: &str) -> Result<Tensor> {
    match value {
        Value::Tensor(tensor) => Ok(tensor.clone()),
        _ => Err(fault(format!("the `{field}` of a plot is a tensor or a list"))),
    }
}

/// The elements in this order of axes; the first that is NaN or infinite is an error that says where it is.
fn finite(tensor: &Tensor, order: &[Axis], field: &str) -> Result<Vec<f64>> {
    let values = tensor.to_f64(order)?;
    let Some(flat) = values.iter().position(|x| !x.is_finite()) else {
        return Ok(values);
    };
    let mut rest = flat;
    let mut place = Vec::new();
    for &axis in order.iter().rev() {
        let len = tensor.len(axis)?.max(1);
        place.push(format!("{axis}: {}", rest % len));
        rest /= len;
    }
    place.reverse();
    Err(not_finite(&format!("`{field}`"), values[flat], format!(" at [{}]", place.join(", "))))
}

fn not_finite(what: &str, found: f64, place: String) -> Error {
    let shown = if found.is_nan() { "NaN" } else { "infinity" };
    Error::new(code::NOT_FINITE, format!("a plot of {what} that is {shown}{place}"))
        .help("`--check-finite` names the operation that made it")
}

/// A logarithmic axis has no place for zero.
fn check_log<'a>(fields: &Fields, mut values: impl Iterator<Item = &'a f64>) -> Result<()> {
    match values.find(|&&x| fields.log && x <= 0.0) {
        Some(x) => Err(fault(format!("a plot with `log: true` cannot show {}", significant(*x, 6)))
            .help("leave out what is not above zero, or add a small number")),
        None => Ok(()),
    }
}

/// Labels name the series if there are several, otherwise the bars.
fn use_labels(fields: &Fields, series: &mut [Series]) -> Result<Vec<String>> {
    let Some(labels) = &fields.labels else {
        return Ok(Vec::new());
    };
    let bars = series.first().map_or(0, |one| one.y.len());
    if labels.len() == series.len() && !(fields.kind == Kind::Bars && series.len() == 1) {
        for (one, label) in series.iter_mut().zip(labels) {
            one.label = label.clone();
        }
        return Ok(Vec::new());
    }
    if fields.kind == Kind::Bars && labels.len() == bars {
        return Ok(labels.clone());
    }
    let counts = if fields.kind == Kind::Bars {
        format!("{} series of {bars} bars", series.len())
    } else {
        format!("{} series", series.len())
    };
    Err(fault(format!("a plot has {} labels for {counts}", labels.len())))
}

fn bars(fields: &Fields, series: Vec<Series>, mut names: Vec<String>) -> Result<Marks> {
    let count = series.iter().map(|one| one.y.len()).sum::<usize>();
    if count > MAX_BARS {
        return Err(fault(format!("{count} bars are thinner than a pixel; {MAX_BARS} is the limit"))
            .help("`plot lines` or `plot histogram` shows so many numbers"));
    }
    let coordinates = matches!(fields.x, Some(Value::Tensor(_) | Value::List(_)));
    if let (true, true, Some(first)) = (names.is_empty(), coordinates, series.first()) {
        names = first.x.iter().map(|&x| significant(x, 6)).collect();
    }
    Ok(Marks::Bars { series, names })
}

fn heatmap(fields: &Fields, figure: &mut Figure) -> Result<Marks> {
    let y = tensor_of(fields.y, "y")?;
    let column = match fields.x {
        Some(Value::Str(name)) => Some(axis_named(&y, name, "x")?),
        Some(_) => return Err(fault("the `x` of a heatmap is an axis of its `y`: the one of the columns")),
        None => None,
    };
    let row = fields.by.map(|name| axis_named(&y, name, "by")).transpose()?;
    if y.rank() != 2 && (column, row) != (None, None) {
        return Err(unused_axes(&y, column, row));
    }
    let other = |known: Axis| y.dims.iter().map(|dim| dim.axis).find(|&axis| axis != known);
    let (column, row) = match (column, row) {
        (Some(column), Some(row)) => (Some(column), Some(row)),
        (Some(column), None) => (Some(column), other(column)),
        (None, Some(row)) => (other(row), Some(row)),
        (None, None) => {
            return Err(fault("a heatmap does not say which axis its columns are")
                .note("found", format!("y over [{}]", y.axes_shown()))
                .help(format!("x: {}", y.dims.last().map_or("pos".to_string(), |dim| dim.axis.shown()))));
        }
    };
    let (Some(column), Some(row)) = (column, row) else {
        return Err(unused_axes(&y, column, row));
    };
    if column == row {
        return Err(unused_axes(&y, None, None));
    }
    let values = finite(&y, &[row, column], "y")?;
    check_log(fields, values.iter())?;
    let (rows, columns) = (y.len(row)?, y.len(column)?);
    if values.is_empty() {
        return Err(fault("a plot of nothing: `y` has no elements"));
    }
    figure.xlabel = fields.xlabel.clone().unwrap_or_else(|| column.shown());
    figure.ylabel = fields.ylabel.clone().unwrap_or_else(|| row.shown());
    Ok(Marks::Heatmap(Grid { rows, columns, values }))
}

fn histogram(fields: &Fields, figure: &mut Figure) -> Result<Marks> {
    if fields.x.is_some() {
        return Err(fault("a histogram counts its `y`; it has no `x`"));
    }
    // The points of a scatter plot are all elements, in any number of axes: what a histogram counts too.
    let gather = Fields {
        kind: Kind::Scatter,
        title: String::new(),
        xlabel: None,
        ylabel: None,
        file: None,
        labels: None,
        ..*fields
    };
    let mut series = series(&gather, figure)?;
    use_labels(fields, &mut series)?;
    check_log(fields, series.iter().flat_map(|one| &one.y))?;
    let to = |x: f64| if fields.log { x.log10() } else { x };
    let all: Vec<f64> = series.iter().flat_map(|one| one.y.iter().map(|&x| to(x))).collect();
    let (mut low, mut high) = range(&all);
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    // The cube root of the count: enough to see a shape, few enough for each bin to hold something.
    let bins = fields.bins.unwrap_or(((2.0 * (all.len() as f64).cbrt()).ceil() as usize).clamp(8, 60));
    // Written so that the distance of two f64, which can overflow, is never taken.
    let place = |number: f64| low * (1.0 - number / bins as f64) + high * (number / bins as f64);
    let half = high / 2.0 - low / 2.0;
    let back = |x: f64| if fields.log { 10f64.powf(x) } else { x };
    let edges: Vec<f64> = (0..=bins).map(|number| back(place(number as f64))).collect();
    for one in &mut series {
        let mut counts = vec![0.0; bins];
        for &x in &one.y {
            let bin = ((to(x) / 2.0 - low / 2.0) / half * bins as f64).floor();
            counts[bin.clamp(0.0, bins as f64 - 1.0) as usize] += 1.0;
        }
        one.x = (0..bins).map(|number| back(place(number as f64 + 0.5))).collect();
        one.y = counts;
    }
    figure.ylabel = fields.ylabel.clone().unwrap_or_else(|| "count".to_string());
    Ok(Marks::Histogram { edges, series })
}
